"""The pictures of the portal tour, docs/portal-tour.md.

To take them again, run:

    CLOUDREPO_SCREENSHOTS=docs/images/portal tox -e portal -- -k portal_tour
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.portal.chromium import launch_chromium, sign_in
from tests.support.portal.tour import (
    ADMIN,
    ADMIN_PASSWORD,
    DESKTOP,
    PICTURES,
    SIGN_IN,
    Picture,
    example_server,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

ORIGIN = "http://127.0.0.1:8080"
"""The origin that the pictures show. The server itself has a random port."""

REPLACE_RANDOM_VALUES = """
for (const secret of document.querySelectorAll(".secret code"))
  secret.textContent = "example-secret-0123456789";
document.querySelectorAll("[aria-label=Tokens] code.name").forEach(
  (code, number) => code.textContent = `${"0123456789abcde"}${number}`
);
"""
"""A script that replaces generated secrets and token ids, so that the pictures stay the same."""


@pytest.fixture
def page(tmp_path: Path, playwright: Playwright) -> Iterator[Page]:
    """A page of a browser that reaches the example server at ORIGIN."""
    with example_server(tmp_path / "server") as server:
        port = server.url.rpartition(":")[2]
        rule = f"MAP {ORIGIN.partition('//')[2]} 127.0.0.1:{port}"
        browser = launch_chromium(playwright, f"--host-resolver-rules={rule}")
        context = browser.new_context(viewport={"width": DESKTOP, "height": 600})
        context.set_default_timeout(20_000)
        yield context.new_page()
        browser.close()


def take_picture(page: Page, picture: Picture, folder: Path) -> None:
    """Take a picture of a page from its top to the end of its content."""
    page.set_viewport_size({"width": picture.width, "height": 600})
    page.goto(ORIGIN + picture.path)
    if picture.prepare is not None:
        picture.prepare(page)
    page.get_by_text(picture.text).first.wait_for()
    page.evaluate(REPLACE_RANDOM_VALUES)
    assert page.evaluate("document.documentElement.scrollWidth") == picture.width
    content = page.locator("main > :last-child").bounding_box()
    assert content is not None
    height = min(content["y"] + content["height"] + 24, picture.max_height)
    page.set_viewport_size({"width": picture.width, "height": round(height)})
    page.screenshot(path=folder / f"{picture.name}.png", animations="disabled")


def test_every_page_of_the_portal_tour_can_be_photographed(page: Page, tmp_path: Path) -> None:
    folder = Path(os.environ.get("CLOUDREPO_SCREENSHOTS") or tmp_path)
    take_picture(page, SIGN_IN, folder)
    sign_in(page, page.url, (ADMIN, ADMIN_PASSWORD))
    for picture in PICTURES:
        take_picture(page, picture, folder)
    taken = {path.stem for path in folder.glob("*.png")}
    assert taken == {picture.name for picture in (SIGN_IN, *PICTURES)}
