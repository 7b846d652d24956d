"""The header, the search and the lists of the portal, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.archives import wheel
from tests.support.index import Index, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page

NARROW, WIDE = 360, 1440


@pytest.fixture(params=[(NARROW, True), (WIDE, True), (NARROW, False)], ids=str)
def page(request: pytest.FixtureRequest, chromium: Chromium, server: Server) -> Iterator[Page]:
    """A page of a signed-in browser of some width, with or without JavaScript."""
    width, javascript = request.param
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=javascript
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(server.url)
    page.get_by_label("E-mail").fill(server.admin[0])
    page.get_by_label("Password").fill(server.admin[1])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Repositories", exact=True).wait_for()
    yield page
    context.close()


def test_the_search_of_the_header_leads_to_a_project(page: Page, index: Index) -> None:
    index.publish(wheel("Tall.Giraffe"))
    page.get_by_role("searchbox", name="Search all repositories").fill("tall_gir")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Projects").wait_for()
    marked = page.locator("mark").all_inner_texts()
    assert {text.lower().replace(".", "-") for text in marked} == {"tall-gir"}
    page.get_by_role("link", name="tall-giraffe").first.click()
    page.get_by_role("heading", name="tall-giraffe").first.wait_for()


def test_the_menu_leads_to_the_sections_and_signs_out(page: Page) -> None:
    viewport = page.viewport_size
    assert viewport is not None
    is_narrow = viewport["width"] == NARROW
    summary = page.locator("details.menu > summary")
    users = page.get_by_role("link", name="Users", exact=True)
    assert users.is_visible() is not is_narrow
    if is_narrow:
        summary.click()
    users.click()
    page.get_by_role("heading", name="Repository Users").wait_for()
    summary.click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()


def test_a_list_is_sorted_by_the_title_of_a_column(page: Page, index: Index) -> None:
    index.publish(wheel("small"), wheel("large", padding=9000))
    page.goto(f"{index.server.url}/portal/repositories/{index.name}")
    names = page.locator("a.name")
    assert names.all_inner_texts() == ["large", "small"]
    page.get_by_role("columnheader", name="Size").get_by_role("link").click()
    page.get_by_role("columnheader", name="Size").and_(page.locator("[aria-sort]")).wait_for()
    assert names.all_inner_texts() == ["large", "small"]
    page.get_by_role("columnheader", name="Size").get_by_role("link").click()
    page.locator("th[aria-sort=ascending]", has_text="Size").wait_for()
    assert names.all_inner_texts() == ["small", "large"]
