"""The index of hatch's publish tests: a pytest plugin for `tests/cli/publish/test_publish.py`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_cloudrepo import Server, SessionFactories

# hatch starts devpi in a container, and downloads it.
_NOT_NEEDED = ("requires_docker", "requires_internet")


@pytest.fixture(scope="session")
def devpi(cloudrepo_session: SessionFactories, cloudrepo_server: Server) -> SimpleNamespace:
    """A repository that behaves as devpi, over HTTPS, with the CA certificate."""
    repository = cloudrepo_session.repository(dialect="devpi")
    return SimpleNamespace(
        repo=f"{repository.https_url}/",
        user=repository.username,
        auth=str(repository.password),
        ca_cert=str(cloudrepo_server.ca),
    )


@pytest.fixture
def temp_dir_cache(temp_dir_cache: Path, isolation: Path) -> Path:
    """The folder of hatch's own fixture, with the licenses that hatch would download."""
    licenses = Path("cache", "licenses")
    shutil.copytree(isolation / licenses, temp_dir_cache / licenses)
    return temp_dir_cache


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Replace the fixtures of the test module."""
    if isinstance(collector, pytest.Module):
        for fixture in (devpi, temp_dir_cache):
            setattr(collector.obj, fixture.__name__, fixture)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Run the tests without Docker and the internet."""
    for node in {node for item in items for node in item.listchain()}:
        node.own_markers = [mark for mark in node.own_markers if mark.name not in _NOT_NEEDED]
