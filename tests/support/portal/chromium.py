"""The Chromium that the browser tests control."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

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
