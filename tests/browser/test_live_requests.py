"""The request log while clients send requests, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

import pytest

from tests.support.index import Index, Server
from tests.support.portal.chromium import sign_in
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page


@pytest.fixture(params=[(360, "dark"), (1440, "light")], ids=str)
def page(request: pytest.FixtureRequest, chromium: Chromium, own_server: Server) -> Iterator[Page]:
    """A page on which the admin user is signed in."""
    width, scheme = request.param
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(20_000)
    page = context.new_page()
    sign_in(page, own_server.url, own_server.admin)
    yield page
    context.close()


class RequestsBeside:
    """Sends requests from another thread, one after another, until the context ends."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for_more(self, count: int) -> None:
        """Wait until this many further requests have a response."""
        wanted = self.sent + count
        wait_until(lambda: self.sent >= wanted, f"{count} more requests beside the page")

    def _send(self) -> None:
        while not self._ended.is_set():
            self._index.get(f"/project{self.sent % 10}/")
            self.sent += 1
            self._ended.wait(0.05)


def open_log(page: Page, index: Index, query: str = "") -> None:
    page.goto(f"{index.server.url}/portal/repositories/{index.name}/requests{query}")
    page.get_by_text("Live", exact=True).wait_for()


def test_new_requests_appear_until_the_page_is_paused(page: Page, own_server: Server) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    index = own_server.repository()
    other = Index(Server(own_server.process), index.name, index.username, index.password)
    open_log(page, index)
    with RequestsBeside(other) as beside:
        page.locator("#log tr").nth(20).wait_for()
        index.get("/while-live/")
        page.get_by_role("link", name="/while-live/").wait_for()
        page.get_by_role("button", name="Pause").click()
        page.get_by_text("Paused", exact=True).wait_for()
        index.get("/while-paused/")
        index.get("/missed/")
        rows = page.locator("#log tr").count()
        # A live page would have shown the first of them.
        beside.wait_for_more(40)
        assert page.get_by_role("link", name="/while-paused/").count() == 0
        assert page.locator("#log tr").count() == rows
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("link", name="/while-paused/").wait_for()
        page.get_by_role("link", name="/missed/").wait_for()
    # Each request has one row, and a row leads to the whole request.
    ids = page.locator("#log tr").evaluate_all("rows => rows.map(row => row.id)")
    assert len(ids) == len(set(ids))
    page.get_by_role("link", name="/missed/").click()
    page.get_by_text("The project missed was not found").wait_for()
    page.get_by_text("Basic ***").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert problems == []
    other.server.close()


def test_a_filter_applies_to_new_requests(page: Page, own_server: Server) -> None:
    index = own_server.repository()
    open_log(page, index)
    more_filters = page.get_by_text("More filters")
    if more_filters.is_visible():
        # On a narrow screen.
        assert page.get_by_label("Kind").is_hidden()
        more_filters.click()
    page.get_by_label("Kind").select_option("Page")
    page.get_by_label("Project").fill("wanted")
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("No request matches the filter.").wait_for()
    page.get_by_text("Live", exact=True).wait_for()
    index.get("/unwanted-not/")
    index.get("/other/")
    index.get("/")
    index.get("/wanted/")
    page.get_by_role("link", name="/wanted/").wait_for()
    assert page.locator("#log tr").count() == 2
    assert page.get_by_text("No request matches the filter.").is_hidden()


def test_the_page_says_that_the_session_has_ended(page: Page, own_server: Server) -> None:
    index = own_server.repository()
    open_log(page, index)
    other = page.context.new_page()
    other.goto(own_server.url + "/portal/")
    other.locator("details.menu > summary").click()
    other.get_by_role("button", name="Sign out").click()
    other.get_by_text("Only the admin user can sign in").wait_for()
    page.get_by_text("You are signed out. Reload the page to sign in.").wait_for()


def test_a_reload_shows_new_requests_without_scripts(
    chromium: Chromium, own_server: Server
) -> None:
    index = own_server.repository()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, f"{own_server.url}/portal/requests", own_server.admin, heading="Requests")
    assert page.get_by_role("button", name="Pause").count() == 0
    index.get("/before-the-reload/")
    page.reload()
    page.get_by_role("link", name="/before-the-reload/").wait_for()
    context.close()
