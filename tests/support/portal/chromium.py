"""The Chromium that the browser tests control."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

SWITCHES = [
    # In a container, root has no sandbox, and there is no graphics card.
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    # The browser must reach nothing but the portal.
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-quic"),
]


def launch_chromium(playwright: Playwright, *switches: str) -> Browser:
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


def sign_in(page: Page, url: str, admin: tuple[str, str], *, heading: str = "Repositories") -> None:
    """Open a URL of the portal, sign in, and wait until the page with this heading is shown."""
    page.goto(url)
    page.get_by_label("User name").fill(admin[0])
    page.get_by_label("Password").fill(admin[1])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name=heading, exact=True).wait_for()
