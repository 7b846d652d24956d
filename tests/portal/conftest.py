"""One server for all tests of the portal, and a browser that is signed in to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portal.support.browser import Browser
from tests.portal.support.connection import PACKAGE, WHEEL, Settings
from tests.portal.support.person import Person
from tests.server.conftest import running
from tests.server.support.index import Index, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("portal")) as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that no other test touches."""
    with running(tmp_path / "server") as server:
        yield server


@pytest.fixture
def index(server: Server) -> Index:
    """A new, empty repository with a read/write user."""
    return server.repository()


@pytest.fixture
def stranger(server: Server) -> Iterator[Browser]:
    """A browser in which nobody is signed in."""
    browser = Browser(server)
    yield browser
    browser.close()


@pytest.fixture
def browser(stranger: Browser) -> Browser:
    """A browser in which the admin user is signed in."""
    stranger.sign_in(*stranger.server.admin)
    return stranger


@pytest.fixture
def settings(index: Index) -> Settings:
    """What the repository's Connection Settings say."""
    return Settings(index)


@pytest.fixture(scope="session")
def app_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the virtual environments of all tests have in common."""
    return tmp_path_factory.mktemp("app-data")


@pytest.fixture
def person(index: Index, tmp_path: Path, app_data: Path) -> Person:
    """Somebody with the repository's passphrase and a project that was built."""
    person = Person(tmp_path, index.password, PACKAGE, app_data)
    (person.project / "dist").mkdir()
    (person.project / "dist" / WHEEL.filename).write_bytes(WHEEL.data)
    return person
