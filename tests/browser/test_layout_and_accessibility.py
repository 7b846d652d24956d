"""Every page fits narrow and wide screens, light and dark, and has no accessibility problem."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.support.archives import core_metadata, sdist, wheel
from tests.support.damaged_data import start_with_damage
from tests.support.index import Index, Server
from tests.support.portal.chromium import sign_in
from tests.support.server_fixtures import StartServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page

README = """\
# Demo

Some *words*, `code` and a [link](https://example.com).

## Install

```python
import demo
```

| a | b |
|---|---|
| 1 | 2 |

- [x] done

![badge](https://example.com/badge.svg) [![badge](https://example.com/b.svg)](https://example.com)
"""

LONG_METADATA = (
    f"Project-URL: Source, https://example.com/{'a-long-path-' * 20}\n"
    f"Project-URL: Not a link, javascript:{'alert' * 30}\n"
    "Classifier: Topic :: Software Development :: Libraries :: Application Frameworks\n"
    "License-Expression: MIT\nKeywords: package,index,testing\nProvides-Extra: everything\n"
    f"Requires-Dist: a-{'very-' * 20}long-name>=1\n"
    'Requires-Dist: project1; python_version < "3.12" and extra == "everything"\n'
    "Description-Content-Type: text/markdown\n"
)
PIP = 'pip/24.2 {"distro":{"name":"Debian GNU/Linux","version":"12"},"python":"3.12.1"}'
LONG_NODE_ID = f"tests/integration/test_release.py::TestRelease::test_{'long_' * 30}[{'x' * 60}]"
LONG_EMAIL = "reader+with.a_long-address-that-does-not-end-soon@subdomain.of.example.com"


@pytest.fixture(scope="module")
def busy_repository(server: Server) -> Index:
    """A repository with every kind of content, and long names."""
    index = server.repository(
        "repository-with-a-long-name-1234", overwrite_protection=True, run="cloudrepo-0123456789ab"
    )
    index.api_json("PUT", "/test", {"node_id": LONG_NODE_ID, "outcome": "failed", "seconds": 12.5})
    metadata = core_metadata(
        "demo",
        "1.0",
        requires_python=">=3.9,!=3.10.*,<4",
        more=f"Summary: A demonstration\n{LONG_METADATA}\n{README}",
    )
    index.publish(wheel(metadata=metadata), sdist(), wheel(version="2.0rc1"))
    index.publish(wheel("a-project-with-a-very-long-name-that-does-not-end-so-soon-at-all"))
    index.publish(*(wheel(f"project{number}") for number in range(12)))
    index.api_json("PATCH", f"/files/{sdist().filename}", {"yanked": "It forgot its tests."})
    index.api_json("PATCH", f"/files/{wheel(version='2.0rc1').filename}", {"yanked": "Too early."})
    index.api_json("PATCH", "/projects/project1", {"status": "deprecated", "reason": "Use demo."})
    index.upload(wheel(module="x = 2\n"))
    index.get(f"/demo/{wheel().filename}")
    index.get("/nothing/", User_Agent=PIP)
    index.api_json("POST", "/faults", {"kind": "status", "status": 503, "times": 1})
    index.get("/broken/")
    index.api_json("POST", "/faults", {"kind": "latency", "seconds": 0, "user": LONG_EMAIL})
    urls = ["https://packages.example/simple", "http://a-host-with-a-long-name.of.example:8080/x"]
    index.api_json("POST", "/impersonations", {"urls": urls, "allow": ["files.example.com"]})
    index.set(upstream=["http://127.0.0.1:1/an-upstream-that-does-not-respond/simple"])
    index.get("/from-the-upstream/")
    server.user(email=LONG_EMAIL, read_only=True)
    body = {"repository": index.name, "read_only": True, "name": LONG_NODE_ID[:100]}
    server.api_json("POST", "/tokens", {**body, "expires_in": 1e6})
    server.api_json("POST", "/tokens", {**body, "expires_in": -1e6})
    server.repository("empty-one", public=True)
    public = server.repository("public-one", public=True)
    public.publish(wheel(metadata=metadata), sdist(), wheel(version="2.0rc1"))
    public.publish(*(wheel(f"project{number}") for number in range(12)))
    return index


REJECTED_FORMS: list[tuple[str, str, dict[str, str]]] = [
    ("create-repository", "Create repository", {"Name": "Not valid", "Maximum file size": "x"}),
    ("create-user", "Create user", {"User name": "nobody", "Passphrase": "short"}),
    ("upstreams", "Save upstreams", {"Upstreams, one per line": "nowhere\nftp://x.example"}),
    ("faults", "Add fault", {"Status": "9", "Times": "never", "Every": "0"}),
    ("impersonations", "Create impersonation", {"Further URLs, one per line": "ftp://x.example"}),
    ("delete-repository", "Delete repository", {}),
    ("tokens", "Create token", {"Last day": "2020-02-02"}),
]
"""The pages whose forms are submitted with errors: the button, and the values by label."""


def paths(index: Index) -> dict[str, str]:
    """Return the path of every page, by a name for it."""
    repository = f"/portal/repositories/{index.name}"
    user = f"/portal/users/{quote(LONG_EMAIL, safe='')}"
    token = index.server.api_json("GET", "/tokens")["tokens"][0]["id"]
    return {
        "repositories": "/portal/",
        "nothing-found": "/portal/?q=nothing-at-all",
        "create-repository": "/portal/create-repository",
        "projects": repository,
        "no-projects": "/portal/repositories/empty-one",
        "project": f"{repository}/projects/demo",
        "status": f"{repository}/projects/project1",
        "upload": f"{repository}/upload",
        "connection": f"{repository}/connection?user={quote(LONG_EMAIL)}",
        "connection-windows": f"{repository}/connection?system=powershell",
        "repository-requests": f"{repository}/requests",
        "request": f"{repository}/requests/1",
        "settings": f"{repository}/settings",
        "public-settings": "/portal/repositories/empty-one/settings",
        "delete-repository": f"{repository}/delete",
        "delete-file": f"{repository}/files/{wheel().filename}/delete",
        "release": f"{repository}/projects/demo/releases/1.0",
        "yanked-release": f"{repository}/projects/demo/releases/2.0rc1",
        "yank-release": f"{repository}/projects/demo/releases/1.0/yank",
        "unyank-release": f"{repository}/projects/demo/releases/2.0rc1/unyank",
        "delete-release": f"{repository}/projects/demo/releases/1.0/delete",
        "delete-project": f"{repository}/projects/demo/delete",
        "contents": f"{repository}/files/{wheel().filename}/contents",
        "content-of-file": f"{repository}/files/{sdist().filename}/contents/file"
        "?path=demo-1.0/setup.py",
        "core-metadata": f"{repository}/files/{wheel().filename}/metadata",
        "compare-releases": f"{repository}/projects/demo/compare?old=1.0&new=2.0rc1",
        "compare-sdist-and-wheel": f"{repository}/projects/demo/releases/1.0/compare",
        "users": "/portal/users",
        "create-user": "/portal/create-user",
        "user": user,
        "revoke": f"{user}/revoke",
        "tokens": "/portal/tokens",
        "revoke-token": f"/portal/tokens/{token}/revoke",
        "files": f"{repository}/files?sort=-size",
        "sorted-projects": f"{repository}?sort=-upload",
        "changes": "/portal/audit",
        "filtered-changes": "/portal/audit?kind=upload&interface=index",
        "no-changes": "/portal/audit?repository=none-has-this-name",
        "search": "/portal/search?q=demo",
        "search-of-one-kind": "/portal/search?q=project&kind=projects&page=2",
        "search-without-results": "/portal/search?q=nothing+at+all",
        "search-without-text": "/portal/search",
        "upstreams": f"{repository}/upstreams",
        "faults": f"{repository}/faults",
        "impersonations": f"{repository}/impersonations",
        "requests": "/portal/requests",
        "tests": "/portal/tests",
        "test": f"/portal/tests/{index.name}",
        "filtered-requests": "/portal/requests?kind=upload&status=4xx&user=a&q=demo",
        "change": "/portal/requests/changes/1",
        "no-requests": "/portal/repositories/empty-one/requests?kind=file",
        "public": "/public/repositories/public-one/",
        "public-project": "/public/repositories/public-one/demo/",
        "public-empty": "/public/repositories/empty-one/",
        "public-missing": "/public/repositories/public-one/nothing/",
        "missing": "/portal/repositories/nowhere",
    }


@dataclass(frozen=True, slots=True)
class View:
    """A browser window of some width and colour scheme.

    `axe` is the source of axe-core, or None to skip the accessibility check.
    """

    page: Page
    width: int
    scheme: str
    axe: str | None
    problems: list[str] = field(default_factory=list)

    def check(self, name: str) -> None:
        """Collect the problems of the open page, and save a screenshot on request."""
        width = self.page.evaluate("document.documentElement.scrollWidth")
        if width > self.width:
            self.problems.append(f"{name} is {width} pixels wide")
        if self.axe is not None:
            self.page.add_script_tag(content=self.axe)
            self.problems.extend(
                f"{name}: {found['id']} ({found['impact']}): {node['html']}"
                for found in self.page.evaluate("async () => (await axe.run()).violations")
                for node in found["nodes"]
            )
        folder = os.environ.get("CLOUDREPO_SCREENSHOTS")
        if folder:
            path = Path(folder, f"{name}-{self.width}-{self.scheme}.png")
            self.page.screenshot(path=path, full_page=True)


@pytest.fixture(
    params=[
        (360, "dark", True),
        (1440, "light", True),
        (360, "light", False),
        (1440, "dark", False),
    ],
    ids=str,
)
def view(request: pytest.FixtureRequest, chromium: Chromium, axe: str) -> Iterator[View]:
    width, scheme, with_axe = request.param
    # The portal's content security policy would block axe-core.
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    context.set_default_timeout(20_000)
    yield View(context.new_page(), width, scheme, axe if with_axe else None)
    context.close()


def test_every_page_fits_the_screen_and_is_accessible(
    view: View, server: Server, busy_repository: Index
) -> None:
    page = view.page
    page.goto(server.url)
    view.check("sign-in")
    page.get_by_label("User name").fill(server.admin[0])
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    view.check("wrong-password")
    page.get_by_label("Password").fill(server.admin[1])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Repositories", exact=True).wait_for()
    for name, path in paths(busy_repository).items():
        page.goto(server.url + path)
        # The menu would cover the page.
        page.evaluate(
            "document.querySelectorAll('details:not(.menu)').forEach(each => each.open = true)"
        )
        view.check(name)
    page.locator("details.menu > summary").click()
    page.get_by_role("button", name="Sign out").wait_for()
    view.check("menu")
    page.goto(server.url + "/portal/create-user")
    page.get_by_label("User name").fill(f"new-{view.width}-{view.scheme}@example.com")
    page.get_by_role("button", name="Create user").click()
    page.get_by_text("it is not shown again").wait_for()
    view.check("generated-passphrase")
    page.goto(f"{server.url}/portal/repositories/{busy_repository.name}/upload")
    different = wheel(module="x = 3\n").data
    page.get_by_label("Files").set_input_files(
        {"name": wheel().filename, "mimeType": "application/zip", "buffer": different}
    )
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_text("1 file rejected").wait_for()
    view.check("rejected-upload")
    for name, button, fields in REJECTED_FORMS:
        page.goto(server.url + paths(busy_repository)[name])
        for label, text in fields.items():
            page.get_by_label(label, exact=True).fill(text)
        # The browser itself checks some fields. The server must check them too.
        page.evaluate("document.querySelectorAll('form').forEach(each => each.noValidate = true)")
        page.get_by_role("button", name=button, exact=True).click()
        page.get_by_role("alert").wait_for()
        assert page.evaluate("document.activeElement.id") == "form-errors"
        view.check(f"rejected-{name}")
    assert not view.problems, "\n".join(view.problems)


LINE_POSITIONS = """
element => {
  const text = document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode();
  const positions = [];
  let start = 0;
  for (const line of text.data.split("\\n")) {
    if (line) {
      const range = document.createRange();
      range.setStart(text, start);
      range.setEnd(text, start + 1);
      const { top, height } = range.getBoundingClientRect();
      positions.push(top + height / 2);
    } else positions.push(null);
    start += line.length + 1;
  }
  return positions;
}
"""
"""A function that returns the vertical centre of each line of an element, or null."""


def test_line_numbers_are_beside_their_lines_in_a_narrow_column(
    view: View, server: Server, busy_repository: Index
) -> None:
    page = view.page
    sign_in(page, server.url, server.admin)
    for name in ("core-metadata", "content-of-file"):
        page.goto(server.url + paths(busy_repository)[name])
        numbers = page.locator(".line-numbers")
        for number, line in zip(
            numbers.evaluate(LINE_POSITIONS),
            page.locator(".source .code").evaluate(LINE_POSITIONS),
            strict=True,
        ):
            assert line is None or number == pytest.approx(line, abs=1)
        column = numbers.bounding_box()
        assert column is not None
        assert column["width"] < 60


def test_the_pages_of_damaged_data_fit_the_screen_and_are_accessible(
    view: View, start_server: StartServer, tmp_path: Path
) -> None:
    server = start_with_damage(start_server, tmp_path / "data")
    page = view.page
    sign_in(page, server.url, server.admin)
    page.get_by_role("link", name="Show damaged data").wait_for()
    view.check("repositories-with-damage")
    page.get_by_role("link", name="Show damaged data").click()
    page.get_by_role("heading", name="Damaged data").wait_for()
    view.check("damaged")
    page.get_by_role("link", name="Delete projects/").click()
    page.get_by_role("heading", name="Delete this damaged document?").wait_for()
    view.check("delete-damaged")
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("was deleted.").wait_for()
    view.check("deleted-damaged")
    page.goto(f"{server.url}/portal/repositories/lost")
    page.get_by_role("link", name="Damaged data").wait_for()
    view.check("damaged-repository")
    assert not view.problems, "\n".join(view.problems)
    server.close()
