"""READMEs of real projects have no accessibility problem, on wide and narrow screens."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from pytest_cloudrepo._programs.command import run
from tests.support.index import Index, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

PROJECTS = (
    # Markdown with headings, tables, code, images, HTML and badges.
    *("requests", "attrs", "rich", "httpx", "tabulate", "beautifulsoup4"),
    # reStructuredText with tables, definition lists, footnotes and images.
    *("pytest", "tqdm", "wrapt", "idna"),
)
SECONDS = 50.0
Scheme = Literal["dark", "light"]
VIEWS: list[tuple[int, Scheme]] = [(360, "dark"), (1440, "light")]


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A wheel of each project, from the public index that pip is configured for."""
    folder = tmp_path_factory.mktemp("downloads")
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    run(
        [sys.executable, "-m", "pip", "download", *options, *PROJECTS],
        environ=os.environ,
        timeout=SECONDS,
    )
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def index(server: Server, downloads: list[Path]) -> Index:
    """A repository with the wheels."""
    index = server.repository(public=True)
    for path in downloads:
        below = f"/api/repositories/{index.name}/files/{path.name}"
        response = server.request("PUT", below, data=path.read_bytes(), auth=server.admin)
        assert response.ok, response.text
    return index


def test_readmes_are_accessible(chromium: Chromium, index: Index, axe: str) -> None:
    # The portal's content security policy would block axe-core.
    context = chromium.new_context(bypass_csp=True)
    context.set_default_timeout(20_000)
    page = context.new_page()
    problems = []
    for name in PROJECTS:
        page.goto(f"{index.server.url}/public{index.path}/{name}/")
        page.locator("div.readme").wait_for()
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        page.add_script_tag(content=axe)
        for width, scheme in VIEWS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            shown = page.evaluate("document.documentElement.scrollWidth")
            if shown > width:
                problems.append(f"{name} is {shown} pixels wide")
            problems += [
                f"{name}: {found['id']} ({found['impact']}): {node['html'][:300]}"
                for found in page.evaluate("async () => (await axe.run()).violations")
                for node in found["nodes"]
            ]
    context.close()
    assert not problems, "\n".join(problems)
