"""The Connection Settings in a real browser: copy buttons, and a passphrase in the snippets."""

from __future__ import annotations

import configparser
import netrc
import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import pytest

from pytest_cloudrepo._programs.command import run
from tests.support.index import Index, Server
from tests.support.portal.chromium import launch_chromium, sign_in
from tests.support.portal.connection import PACKAGE, WHEEL, assert_published
from tests.support.portal.workstation import Workstation

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page, Playwright

INSECURE_HOST = "portal.example"
"""A host whose pages are no secure context, so that they have no `navigator.clipboard`."""

AWKWARD = "pä'ss \"wörd\\$HOME`x`%41&|;<>!#@:/?*"
"""A passphrase with every character that some format must quote."""
TYPOGRAPHIC = "\u2018typographic\u2019"
"""Characters that only PowerShell must quote. Some clients cannot send them."""


@pytest.fixture(scope="module")
def insecure_chromium(playwright: Playwright) -> Iterator[Chromium]:
    browser = launch_chromium(playwright, f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1")
    yield browser
    browser.close()


@pytest.fixture(params=[(360, "dark"), (1440, "light")], ids=["phone", "desktop"])
def page(
    request: pytest.FixtureRequest, insecure_chromium: Chromium, server: Server, index: Index
) -> Iterator[Page]:
    """The Connection Settings, on an insecure origin."""
    width, scheme = request.param
    context = insecure_chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    url = server.url.replace("127.0.0.1", INSECURE_HOST)
    user = quote(index.username)
    sign_in(
        page,
        f"{url}/portal/repositories/{index.name}/connection?user={user}",
        server.admin,
        heading="Connection Settings",
    )
    yield page
    context.close()


def pasted(page: Page) -> str:
    """Return the text that the keyboard pastes."""
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<textarea id=paste></textarea>')")
    page.locator("#paste").focus()
    page.keyboard.press("Control+v")
    return page.locator("#paste").input_value()


def test_a_copy_button_works_without_https_and_with_the_keyboard(page: Page, index: Index) -> None:
    assert page.evaluate("isSecureContext") is False
    button = page.get_by_role("button", name="Copy the repository's URL")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Copied").wait_for()
    assert button.inner_text() == "Copied"
    assert button.evaluate("element => element === document.activeElement")
    assert pasted(page).endswith(f"/repositories/{index.name}")


def test_a_copy_button_selects_the_text_if_the_browser_copies_nothing(page: Page) -> None:
    page.evaluate("document.execCommand = () => false")
    page.get_by_role("link", name="pip", exact=True).click()
    page.get_by_role("button", name="Copy pip: Install", exact=True).click()
    page.get_by_role("status").get_by_text("Press Ctrl+C").wait_for()
    assert page.evaluate("getSelection().toString()").startswith("pip install --index-url ")


def fill(page: Page, secret: str, system: str = "") -> None:
    """Fill the field, after choosing a system, and open the settings of every tool."""
    if system:
        page.get_by_label("System").select_option(system)
        page.get_by_role("button", name="Show settings").click()
        page.wait_for_url(f"**system={system}*")
    page.get_by_label("Your passphrase or token").fill(secret)
    for name in page.get_by_role("navigation", name="Tools").get_by_role("link").all():
        name.click()


def snippet(page: Page, tool: str, title: str) -> str:
    """Return the text of a snippet."""
    section = page.locator(f"section#{tool}")
    shown = section.locator(".snippet", has=page.get_by_role("heading", name=title, exact=True))
    return str(shown.locator("pre").text_content())


def test_every_format_quotes_the_passphrase(page: Page) -> None:
    fill(page, AWKWARD)
    for tool, title in (("twine", "Upload, with environment variables"), ("poetry", "Publish")):
        assert AWKWARD in words_of(snippet(page, tool, title))
    parser = configparser.RawConfigParser()
    parser.read_string(snippet(page, "pypirc", "For twine, flit and setuptools"))
    assert parser["cloudrepo"]["password"] == AWKWARD
    for tool, title, path in (
        ("pdm", "Configure every install and upload", "repository.cloudrepo.password"),
        ("hatch", "Configure every upload", "publish.index.repos.cloudrepo.auth"),
    ):
        values: Any = tomllib.loads(snippet(page, tool, title))
        for name in path.split("."):
            values = values[name]
        assert values == AWKWARD
    urls = [
        *re.findall(r"http://\S+@[^\s'\"]+", str(page.locator("#pip").text_content())),
        *re.findall(r"http://\S+@[^\s'\"]+", str(page.locator("#uv").text_content())),
    ]
    assert len(urls) >= 5
    for url in urls:
        assert unquote(urlsplit(url).password or "") == AWKWARD
    # A netrc cannot hold this passphrase, and the page says so.
    assert "YOUR-PASSPHRASE" in snippet(page, "netrc", "For pip, uv and other HTTP clients")
    page.locator("#netrc").get_by_text("Use environment variables or a URL.").wait_for()
    fill(page, " spaces ")
    page.locator("#pypirc").get_by_text("A .pypirc cannot hold").wait_for()
    assert "YOUR-PASSPHRASE" in snippet(page, "pypirc", "For twine, flit and setuptools")
    folder = os.environ.get("CLOUDREPO_SCREENSHOTS")
    if folder:
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=Path(folder, f"filled-snippets-{width}.png"), full_page=True)
    fill(page, "")
    assert page.get_by_text("A .pypirc cannot hold").is_hidden()


def words_of(commands: str) -> list[str]:
    """Return the arguments and the new variables of commands, as bash reads them."""
    script = 'twine() { env; }; poetry() { printf "%s\\n" "$@"; };' + commands
    bash = shutil.which("bash")
    assert bash is not None
    output = run([bash, "-c", script], environ={"PATH": os.environ["PATH"]}, timeout=60).stdout
    return [word.removeprefix("TWINE_PASSWORD=") for word in output.splitlines()]


def test_a_netrc_holds_ordinary_tokens(page: Page, tmp_path: Path) -> None:
    fill(page, "cloudrepo.0123456789abcdef.A-b_c")
    file = tmp_path / "netrc"
    file.write_text(snippet(page, "netrc", "For pip, uv and other HTTP clients"), encoding="utf-8")
    login = netrc.netrc(str(file)).hosts[INSECURE_HOST]
    assert login[2] == "cloudrepo.0123456789abcdef.A-b_c"


def test_windows_has_its_own_paths_commands_and_quoting(page: Page) -> None:
    fill(page, AWKWARD + TYPOGRAPHIC, "powershell")
    text = snippet(page, "twine", "Upload, with environment variables")
    value = text.partition("$env:TWINE_PASSWORD = '")[2].partition("'\n")[0]
    assert re.sub("(['\u2018\u2019])\\1", r"\1", value) == AWKWARD + TYPOGRAPHIC
    assert "&&" not in str(page.locator("#hatch").text_content())
    assert page.get_by_text(r"$env:APPDATA\pip\pip.ini").is_visible()
    fill(page, "x^y&z|!", "cmd")
    assert 'set "TWINE_PASSWORD=x^y&z|!"\n' in snippet(
        page, "twine", "Upload, with environment variables"
    )
    assert page.get_by_text(r"%USERPROFILE%\_netrc").is_visible()
    fill(page, 'a"b')
    page.locator("#twine").get_by_text("Use PowerShell.").wait_for()
    assert "YOUR-PASSPHRASE" in snippet(page, "twine", "Upload, with environment variables")


def test_the_passphrase_does_not_leave_the_page(page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url + str(request.post_data)))
    fill(page, "remarkable-passphrase")
    page.wait_for_function("document.body.textContent.includes('remarkable-passphrase')")
    # Chromium may load the icon of the page at any time.
    assert [each for each in requests if "/portal/assets/" not in each] == []
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert "remarkable" not in str(page.context.cookies())
    page.get_by_label("System").select_option("macos")
    page.get_by_role("button", name="Show settings").click()
    page.wait_for_url("**system=macos*")
    page.go_back()
    page.wait_for_function("!location.search.includes('system')")
    assert page.get_by_label("Your passphrase or token").input_value() == ""
    assert requests
    assert "remarkable" not in " ".join(requests)
    assert "remarkable" not in page.content()
    assert not [each for each in requests if "remarkable" in each]


@pytest.mark.parametrize("page", [(1440, "light")], ids=["desktop"], indirect=True)
def test_clients_work_with_the_filled_snippets(
    page: Page, server: Server, index: Index, tmp_path: Path, app_data: Path
) -> None:
    secret = f"{AWKWARD} and more"
    server.api_json("PATCH", f"/users/{index.username}", {"passphrase": secret})
    fill(page, secret)
    workstation = Workstation(tmp_path, secret, PACKAGE, app_data)
    workstation.make_venv()
    dist = workstation.project / "dist"
    dist.mkdir()
    (dist / WHEEL.filename).write_bytes(WHEEL.data)

    def at_loopback(text: str) -> str:
        # Only Chromium resolves the name.
        return text.replace(INSECURE_HOST, "127.0.0.1")

    pypirc = at_loopback(snippet(page, "pypirc", "For twine, flit and setuptools"))
    workstation.write("~/.pypirc", pypirc)
    workstation.run(snippet(page, "twine", "Upload, with the .pypirc above"))
    for tool, title in (
        ("twine", "Upload, with environment variables"),
        ("uv", "Publish"),
        ("pip", "Install"),
        ("uv", "Install"),
    ):
        workstation.run(at_loopback(snippet(page, tool, title)))
    assert_published(replace(index, password=secret))
    assert f"{PACKAGE}==1.0" in workstation.run("pip list --format freeze").stdout
