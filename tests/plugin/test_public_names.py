"""The public names, and the older modules from which some can still be imported."""

from __future__ import annotations

import importlib

import pytest

import pytest_cloudrepo
from pytest_cloudrepo import errors


def test_secret_can_be_imported_from_its_old_module_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="import Secret from pytest_cloudrepo"):
        secret = importlib.import_module("pytest_cloudrepo.secret").Secret
    assert secret is pytest_cloudrepo.Secret
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        importlib.import_module("pytest_cloudrepo.secret").Nothing  # noqa: B018 - tests the error


@pytest.mark.parametrize("name", ["CommandError", "CommandTimeout"])
def test_exceptions_of_programs_can_be_imported_from_errors(name: str) -> None:
    assert getattr(errors, name) is getattr(pytest_cloudrepo, name)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        errors.Nothing  # noqa: B018 - tests the error


@pytest.mark.parametrize("name", ["RepositoryUser", "Token"])
def test_credentials_can_be_imported_from_client(name: str) -> None:
    client = importlib.import_module("pytest_cloudrepo.client")
    assert getattr(client, name) is getattr(pytest_cloudrepo, name)


@pytest.mark.parametrize(
    "name", ["RepositoryFactory", "ProjectFactory", "PackageFactory", "VirtualEnvFactory"]
)
def test_each_factory_is_the_class_of_its_fixtures_value(
    request: pytest.FixtureRequest, name: str
) -> None:
    fixtures = {
        "RepositoryFactory": "cloudrepo_factory",
        "VirtualEnvFactory": "cloudrepo_venv_factory",
    }
    fixture = fixtures.get(name) or f"cloudrepo_{name.removesuffix('Factory').lower()}"
    assert type(request.getfixturevalue(fixture)) is getattr(pytest_cloudrepo, name)


def test_all_public_names_exist_and_are_sorted() -> None:
    names = pytest_cloudrepo.__all__
    assert names == sorted(names)
    for name in names:
        assert hasattr(pytest_cloudrepo, name)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        pytest_cloudrepo.Nothing  # noqa: B018 (the access is the test)
