"""The header, the search and the lists of the portal, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cloudrepo_server.limits import MAX_SUGGESTIONS
from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.portal.chromium import sign_in
from tests.support.wait import wait_until

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
    sign_in(page, server.url, server.admin)
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


def test_the_activity_is_a_plot_and_a_table(page: Page, index: Index) -> None:
    index.publish(wheel("plotted"))
    index.get(f"/plotted/{wheel('plotted').filename}")
    page.goto(f"{index.server.url}/portal/repositories/{index.name}/projects/plotted")
    plot = page.get_by_role("img", name="1 upload and 1 download")
    box = plot.bounding_box()
    assert box is not None
    assert box["height"] > 50
    for series in ("uploads", "downloads"):
        bar = page.locator(f"svg rect.{series}")
        size = bar.bounding_box()
        assert size is not None
        assert size["height"] > 50
    page.get_by_text("Show as a table").click()
    page.get_by_role("columnheader", name="Downloads").wait_for()


def test_the_list_of_changes_is_filtered(page: Page, index: Index) -> None:
    index.publish(wheel("tracked"))
    index.api("DELETE", f"/files/{wheel('tracked').filename}")
    page.goto(index.server.url + "/portal/audit")
    page.get_by_label("Repository").fill(index.name)
    page.get_by_label("Kind").select_option("Deletion of a file")
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("1 change", exact=True).wait_for()
    assert page.locator(".audit tbody tr").count() == 1


def test_a_long_list_of_suggestions_is_requested_while_typing(
    chromium: Chromium, own_server: Server
) -> None:
    own_server.repository("demo")
    for number in range(60):
        name = f"job {number:02}"
        own_server.api_json("POST", "/tokens", {"repository": "demo", "name": name})
    page = chromium.new_page()
    page.set_default_timeout(20_000)
    sign_in(page, own_server.url, own_server.admin)
    page.goto(own_server.url + "/portal/tokens")
    options = page.locator("#token-names option")
    assert options.count() == MAX_SUGGESTIONS
    page.get_by_label("Search tokens").press_sequentially("job 5")
    wait_until(lambda: options.count() == 10, "the ten names that contain the text")
    page.close()
