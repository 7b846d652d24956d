"""Fixtures of the portal's tests: a browser written in Python, and Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.index import Index, Server
from tests.support.portal.browser import Browser
from tests.support.portal.connection import PACKAGE, WHEEL, ConnectionSettings
from tests.support.portal.workstation import Workstation

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Playwright

SWITCHES = [
    # In a container, root has no sandbox, and there is no graphics card.
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    # The browser must reach nothing but the portal.
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic"),
]


@pytest.fixture
def anonymous(server: Server) -> Iterator[Browser]:
    """A browser in which nobody is signed in."""
    browser = Browser(server)
    yield browser
    browser.close()


@pytest.fixture
def browser(anonymous: Browser) -> Browser:
    """A browser in which the admin user is signed in."""
    anonymous.sign_in(*anonymous.server.admin)
    return anonymous


@pytest.fixture
def settings(index: Index) -> ConnectionSettings:
    """The repository's Connection Settings."""
    return ConnectionSettings(index)


@pytest.fixture(scope="session")
def app_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache from which virtualenv creates all environments of these tests."""
    return tmp_path_factory.mktemp("app-data")


@pytest.fixture
def workstation(index: Index, tmp_path: Path, app_data: Path) -> Workstation:
    """The machine of the repository's user, with a project that is built already."""
    workstation = Workstation(tmp_path, index.password, PACKAGE, app_data)
    (workstation.project / "dist").mkdir()
    (workstation.project / "dist" / WHEEL.filename).write_bytes(WHEEL.data)
    return workstation


def launch_chromium(playwright: Playwright, *switches: str) -> Chromium:
    """Start Chromium with additional switches.

    Raises:
        FileNotFoundError: Chromium is not installed. The tests run only on request, so they fail.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("CLOUDREPO_CHROMIUM") or next(
        filter(None, map(shutil.which, names)), ""
    )
    if not program:
        raise FileNotFoundError(
            "Chromium was not found on the PATH: install it (`apt-get install chromium` on "
            "Debian), or set CLOUDREPO_CHROMIUM to its path"
        )
    return playwright.chromium.launch(executable_path=program, args=[*SWITCHES, *switches])


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The library that controls Chromium."""
    # Only the environment of the browser tests has it.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Chromium]:
    """A real browser."""
    browser = launch_chromium(playwright)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which finds accessibility problems."""
    path = os.environ.get("CLOUDREPO_AXE", "")
    if not path:
        raise FileNotFoundError(
            "axe-core was not found: set CLOUDREPO_AXE to its axe.min.js (`npm install axe-core`), "
            "or run `tox -e portal`, which installs it"
        )
    return Path(path).read_text(encoding="utf-8")
