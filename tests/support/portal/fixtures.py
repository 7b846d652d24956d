"""One server for all tests of the portal, and browsers: one of Python alone, and Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.index import Index, Server
from tests.support.portal.browser import Browser
from tests.support.portal.connection import PACKAGE, WHEEL, Settings
from tests.support.portal.person import Person

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

SWITCHES = [
    # A container's root has no sandbox, and its graphics card is none.
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    # Nothing but the portal is to be reached.
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic"),
]


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


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A real browser; that it is missing is an error, since these tests are asked for by name."""
    # Only these tests need it, and it is no dependency of the others.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    names = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("CLOUDREPO_CHROMIUM") or next(
        filter(None, map(shutil.which, names)), ""
    )
    if not program:
        raise FileNotFoundError(
            "no Chromium is on the PATH: install it (`apt-get install chromium` on Debian), "
            "or name it in CLOUDREPO_CHROMIUM"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which looks for what keeps people out."""
    path = os.environ.get("CLOUDREPO_AXE", "")
    if not path:
        raise FileNotFoundError(
            "name axe-core's axe.min.js in CLOUDREPO_AXE (`npm install axe-core`), "
            "or run `tox -e portal`, which installs it"
        )
    return Path(path).read_text(encoding="utf-8")
