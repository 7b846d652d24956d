"""The indexes of twine's integration tests: a pytest plugin for `tests/test_integration.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cloudrepo import Repository, Server, SessionFactories


@pytest.fixture(scope="session")
def devpi_server(cloudrepo_session: SessionFactories) -> Repository:
    """A repository that behaves as devpi, with `url`, `username` and `password`."""
    return cloudrepo_session.repository(dialect="devpi")


@pytest.fixture(scope="session")
def pypiserver_instance(cloudrepo_session: SessionFactories) -> Repository:
    """A repository that behaves as pypiserver, and accepts any login."""
    return cloudrepo_session.repository(dialect="pypiserver", logins="any")


@pytest.fixture(scope="session")
def sampleproject_dist(
    request: pytest.FixtureRequest,
    cloudrepo_session: SessionFactories,
    cloudrepo_server: Server,
) -> Iterator[Path]:
    """An sdist of the project that twine's tests upload, and a test instance of PyPI to receive it.

    The repository accepts the token in the test module.
    """
    repository = cloudrepo_session.repository(dialect="pypi", rules="none")
    module = Path(request.session.items[0].path).read_text("utf-8")
    cloudrepo_server.create_token(repository, value=_constant(module, "sampleproject_token"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in repository.impersonate("testpypi").items():
            patch.setenv(name, value)
        yield cloudrepo_session.package("twine-sampleproject", "3.0.0.post1", sdist=True)


def _constant(module: str, name: str) -> str:
    """Return the string that a module assigns to a name."""
    for node in ast.parse(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return str(ast.literal_eval(node.value))
    raise LookupError(name)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Replace the fixtures of the test module."""
    if isinstance(collector, pytest.Module):
        for fixture in (devpi_server, pypiserver_instance, sampleproject_dist):
            setattr(collector.obj, fixture.__name__, fixture)
