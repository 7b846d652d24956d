"""A one-time sign-in link in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.archives import wheel
from tests.support.index import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

SIZES = {"phone": (360, 740), "desktop": (1440, 900)}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_link_opens_the_page_of_a_failed_test_once(
    chromium: Chromium, own_server: Server, size: tuple[int, int]
) -> None:
    index = own_server.repository("failed-test", run="a-session")
    index.publish(wheel())
    index.get("/lacking/")
    result = {"node_id": "tests/test_it.py::test_upload", "outcome": "failed", "seconds": 1.5}
    index.api_json("PUT", "/test", result)
    link = own_server.api_json("POST", "/sign-in-links", {"repository": index.name})["url"]
    width, height = size
    context = chromium.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto(link)
    page.wait_for_url("**/portal/tests/failed-test")
    page.get_by_text("The project lacking was not found").wait_for()
    page.get_by_role("navigation", name="Breadcrumbs").get_by_role("link", name="Tests").click()
    page.get_by_role("link", name="tests/test_it.py::test_upload", exact=True).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="failed-test", exact=True).click()
    page.wait_for_url("**/portal/repositories/failed-test")
    page.get_by_text("Belongs to the failed test").wait_for()
    context.close()

    other = chromium.new_context().new_page()
    other.goto(link)
    other.get_by_text("This sign-in link was used already").wait_for()
    other.get_by_label("Password").wait_for()
    other.context.close()
