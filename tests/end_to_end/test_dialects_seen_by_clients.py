"""Real publishers and installers at registries with surprising behaviour."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import requests

from pytest_cloudrepo import PackageFactory, RepositoryFactory
from pytest_cloudrepo.client import Server
from tests.support.real_client import Client
from tests.support.shown_output import shows_status


@pytest.fixture
def packages(cloudrepo_package: PackageFactory) -> tuple[Path, Path]:
    """Two wheels with the same name and different content."""
    first = cloudrepo_package("demo", "1.0")
    return first, cloudrepo_package("demo", "1.0", files={"demo.py": "x = 2\n"})


@pytest.mark.parametrize(
    ("dialect", "name"), [("google", "oauth2accesstoken"), ("artifactory", "")]
)
@pytest.mark.parametrize(("installer", "publisher"), [("pip", "twine"), ("uv", "uv")])
def test_a_token_needs_the_user_name_of_its_registry(
    dialect: str,
    name: str,
    installer: str,
    publisher: str,
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_server: Server,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
) -> None:
    repository = cloudrepo_factory(dialect=dialect)
    token = cloudrepo_server.create_token(repository)
    assert token.username == name
    wheel = cloudrepo_package("demo", "1.0")
    usual = repository.as_user(replace(token, username="__token__"))
    rejected = Client(publisher, usual, tmp_path).publish(wheel)
    assert not rejected.ok
    assert shows_status(rejected.output, 401)
    assert repository.files("demo") == []
    published = Client(publisher, repository.as_user(token), tmp_path).publish(wheel)
    assert published.ok, published.output
    installed = Client(installer, repository.as_user(token), tmp_path).install("demo")
    assert installed.ok, installed.output


@pytest.mark.parametrize("publisher", ["twine", "uv"])
def test_cloudsmith_discards_an_upload_although_the_publisher_reports_success(
    publisher: str,
    cloudrepo_factory: RepositoryFactory,
    packages: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    repository = cloudrepo_factory(dialect="cloudsmith", overwrite_protection=True)
    first, changed = packages
    repository.publish(first)
    published = Client(publisher, repository, tmp_path).publish(changed)
    assert published.ok, published.output
    (upload,) = repository.requests.uploads()
    assert (upload.status, str(upload.error).split(".")[0]) == (
        200,
        "A package with name 'demo' already exists",
    )
    login = (repository.username, repository.password)
    stored = requests.get(f"{repository.url}/demo/{first.name}", auth=login, timeout=30)
    assert stored.content == first.read_bytes()


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_azure_redirects_installers_to_another_host_which_gets_no_login(
    installer: str,
    cloudrepo_factory: RepositoryFactory,
    packages: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    repository = cloudrepo_factory(dialect="azure")
    repository.publish(packages[0])
    installed = Client(installer, repository, tmp_path).install("demo")
    assert installed.ok, installed.output
    downloads = [request for request in repository.requests if packages[0].name in request.path]
    redirects = [request for request in downloads if request.status == 303]
    elsewhere = [request for request in downloads if request.status in (200, 206)]
    assert redirects
    assert all(request.authorized for request in redirects)
    assert elsewhere
    assert not any(request.authorized for request in elsewhere)


@pytest.mark.parametrize(
    ("publisher", "installer", "failed_install"),
    [
        ("twine", "pip", "No matching distribution found for demo"),
        ("uv", "uv", "demo was not found in the package registry"),
    ],
)
def test_publishers_and_installers_fail_at_a_host_without_a_registry(
    publisher: str,
    installer: str,
    failed_install: str,
    cloudrepo_factory: RepositoryFactory,
    packages: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    repository = cloudrepo_factory(dialect="no-registry")
    published = Client(publisher, repository, tmp_path).publish(packages[0])
    assert not published.ok
    assert "404 Not Found" in published.output
    installed = Client(installer, repository, tmp_path).install("demo")
    assert not installed.ok
    assert failed_install in " ".join(installed.output.split())
    assert {request.status for request in repository.requests} == {404}
