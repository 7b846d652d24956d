"""Fixtures of the portal's tests: a browser written in Python, and Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.index import Index, Server
from tests.support.portal.browser import Browser
from tests.support.portal.chromium import launch_chromium
from tests.support.portal.connection import PACKAGE, WHEEL, ConnectionSettings
from tests.support.portal.workstation import Workstation

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Playwright


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


@pytest.fixture(scope="module")
def visitor(server: Server) -> Iterator[Browser]:
    """A browser in which the admin user is signed in, for tests that only read."""
    browser = Browser(server)
    browser.sign_in(*server.admin)
    yield browser
    browser.close()


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
