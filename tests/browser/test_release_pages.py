"""The pages of releases in a real browser, with two real releases of a real project."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo._programs import command
from tests.support.archives import Archive
from tests.support.index import Index, Server
from tests.support.portal.chromium import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page

OLD, NEW = "2.0.1", "2.0.2"
# Building the metadata of this project's sdist needs no other package than flit-core.
PROJECT = "tomli"
DOWNLOAD_SECONDS = 300.0


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Archive]:
    """The wheel and the sdist of two releases, from the public index that pip is configured for."""
    chosen = os.environ.get("PYTEST_CLOUDREPO_DISTRIBUTIONS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("distributions")
    names = [
        f"{PROJECT}-{version}{ending}"
        for version in (OLD, NEW)
        for ending in ("-py3-none-any.whl", ".tar.gz")
    ]
    if not all((folder / name).is_file() for name in names):
        for version in (OLD, NEW):
            for kind in ("--only-binary", "--no-binary"):
                requirement = f"{PROJECT}=={version}"
                options = ["--quiet", "--no-deps", f"{kind}={PROJECT}", f"--dest={folder}"]
                command.run(
                    [sys.executable, "-m", "pip", "download", *options, requirement],
                    environ=os.environ,
                    timeout=DOWNLOAD_SECONDS,
                )
    return [Archive(name, (folder / name).read_bytes()) for name in names]


@pytest.fixture(scope="module")
def published(server: Server, releases: list[Archive]) -> Index:
    index = server.repository()
    index.publish(*releases)
    return index


@pytest.fixture(params=[(360, 740), (1440, 900)], ids=["phone", "desktop"])
def page(request: pytest.FixtureRequest, chromium: Chromium, server: Server) -> Iterator[Page]:
    width, height = request.param
    context = chromium.new_context(viewport={"width": width, "height": height})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(20_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    sign_in(page, server.url, server.admin)
    yield page
    context.close()
    assert problems == []


def open_project(page: Page, index: Index) -> None:
    page.goto(f"{index.server.url}/portal/repositories/{index.name}/projects/{PROJECT}")


def assert_fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_difference_of_two_real_releases_is_found_from_the_page_of_the_project(
    page: Page, published: Index
) -> None:
    open_project(page, published)
    page.get_by_role("link", name="Compare releases").click()
    page.get_by_role("heading", name=f"Compare releases of {PROJECT}").wait_for()
    assert page.get_by_label("From", exact=True).input_value() == OLD
    assert page.get_by_label("To", exact=True).input_value() == NEW
    # A long difference is folded.
    page.get_by_text("lines of the difference of .dist-info/METADATA").click()
    page.get_by_text(f"-Version: {OLD}").wait_for()
    page.get_by_text(f"+Version: {NEW}").wait_for()
    assert_fits(page)
    page.get_by_label("Files", exact=True).select_option("sdist")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("link", name=f"{PROJECT}-{OLD}.tar.gz").wait_for()
    page.get_by_text(f'+version = "{NEW}"').first.wait_for()
    assert_fits(page)
    page.get_by_label("From", exact=True).select_option(NEW)
    page.get_by_label("To", exact=True).select_option(OLD)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_text(f'+version = "{OLD}"').first.wait_for()


def test_the_sdist_and_the_wheel_of_a_real_release_are_compared(
    page: Page, published: Index
) -> None:
    open_project(page, published)
    page.get_by_role("link", name=NEW, exact=True).click()
    page.get_by_role("link", name="Compare sdist and wheel").click()
    # The code is below `src/` in the sdist only, and is the same.
    page.get_by_text("Only in the sdist:").wait_for()
    page.get_by_role("heading", name=".dist-info/RECORD").wait_for()
    assert page.get_by_role("heading", name="tomli/_parser.py").count() == 0
    assert_fits(page)


def test_a_file_of_a_real_wheel_is_found_and_read(page: Page, published: Index) -> None:
    open_project(page, published)
    page.get_by_role("link", name=NEW, exact=True).click()
    page.get_by_text("A lil' TOML parser").first.wait_for()
    page.get_by_role("link", name=f"Contents of {PROJECT}-{NEW}-py3-none-any.whl").click()
    page.get_by_role("link", name="tomli/_parser.py").click()
    page.get_by_text("def loads(").first.wait_for()
    assert_fits(page)


def test_the_command_that_installs_a_release_is_copied(page: Page, published: Index) -> None:
    open_project(page, published)
    page.get_by_role("link", name="Install, dependencies and details").click()
    page.get_by_text("requirements.txt, with hashes").click()
    page.get_by_role("button", name="Copy requirements.txt").click()
    page.locator("button.copy", has_text="Copied").wait_for()
    copied = str(page.evaluate("navigator.clipboard.readText()"))
    assert f"{PROJECT}=={NEW}" in copied
    assert copied.count("--hash=sha256:") == 2


def test_a_release_is_yanked_and_deleted_in_the_browser(
    page: Page, server: Server, releases: list[Archive]
) -> None:
    index = server.repository()
    index.publish(*releases)
    open_project(page, index)
    page.get_by_role("link", name=f"Yank release {OLD}").click()
    page.get_by_label("Reason").fill("It is old.")
    assert_fits(page)
    page.get_by_role("button", name="Yank release").click()
    page.get_by_text(f"{PROJECT} {OLD} was yanked").wait_for()
    page.get_by_role("link", name=f"Unyank release {OLD}").click()
    page.get_by_role("button", name="Undo yank").click()
    page.get_by_text(f"{PROJECT} {OLD} is no longer yanked").wait_for()
    page.get_by_role("link", name=f"Delete release {OLD}").click()
    page.get_by_role("button", name="Delete release").click()
    page.get_by_text(f"{PROJECT} {OLD} was deleted.").wait_for()
    page.get_by_role("link", name="Delete project").click()
    page.get_by_label(f"Type {PROJECT} to confirm").fill("another")
    page.get_by_role("button", name="Delete project").click()
    page.get_by_text("The name does not match").first.wait_for()
    page.get_by_label(f"Type {PROJECT} to confirm").fill(PROJECT)
    page.get_by_role("button", name="Delete project").click()
    page.get_by_text(f"The project {PROJECT} was deleted.").wait_for()
    assert index.get(f"/{PROJECT}/").status_code == 404
