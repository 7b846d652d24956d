"""Connection Settings, and what they do with twine, pip and uv."""

from __future__ import annotations

import sys
from urllib.parse import quote

import pytest

from cloudrepo_server.clients.snippets import PASSPHRASE
from tests.support.index import Index, Server
from tests.support.platforms import needs_posix
from tests.support.portal.browser import Browser
from tests.support.portal.connection import (
    CONSUMING_PROJECT,
    PACKAGE,
    WHEEL,
    ConnectionSettings,
    assert_installed,
    assert_published,
    save,
)
from tests.support.portal.workstation import Workstation


def test_every_snippet_is_shown_and_can_be_copied(
    browser: Browser, index: Index, settings: ConnectionSettings
) -> None:
    page = browser.get(f"/portal/repositories/{index.name}/connection?user={quote(index.username)}")
    snippets = [each for tool in settings.tools.values() for each in tool["snippets"]]
    assert len(snippets) >= 20
    copied = {each.get("data-copy-from") for each in page.all("button")} - {None}
    shown = {each["id"] for each in page.all("pre")}
    assert copied == shown
    assert len(shown) == len(snippets)
    text = "".join(page.text.split())
    for snippet in snippets:
        assert "".join(snippet["text"].split()) in text
        assert (snippet["file"] or "") in text
    assert index.password not in page.response.text
    assert PASSPHRASE in text


def test_the_settings_cover_every_supported_tool(settings: ConnectionSettings) -> None:
    assert settings.tools.keys() == {
        *("pypirc", "netrc", "twine", "pip", "uv", "poetry", "pdm", "hatch", "flit", "tox"),
        "github-actions",
    }
    assert settings.tools["pip"]["variables"] == {"PIP_INDEX_URL": settings.index_url}
    assert settings.tools["twine"]["variables"]["TWINE_REPOSITORY_URL"] == settings.url
    for name, tool in settings.tools.items():
        text = str(tool)
        assert settings.url.partition("://")[2] in text, name


@pytest.mark.parametrize(
    ("user_agent", "system", "paths"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64)",
            "linux",
            ["~/.pypirc", "~/.netrc", "~/.config/pip/pip.conf", "~/.config/pdm/config.toml"],
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15)",
            "macos",
            ["~/.config/pip/pip.conf", "~/Library/Application Support/pdm/config.toml"],
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
            "powershell",
            [
                *(r"$HOME\.pypirc", r"$HOME\_netrc", r"$env:APPDATA\pip\pip.ini"),
                *(r"$env:APPDATA\uv\uv.toml", r"$env:LOCALAPPDATA\pdm\pdm\config.toml"),
                r"$env:LOCALAPPDATA\hatch\config.toml",
            ],
        ),
    ],
)
def test_the_paths_are_those_of_the_browsers_system(
    browser: Browser, index: Index, user_agent: str, system: str, paths: list[str]
) -> None:
    path = f"/portal/repositories/{index.name}/connection"
    browser.session.headers["User-Agent"] = user_agent
    page = browser.get(path)
    assert page.all("option", value=system, selected="")
    for each in paths:
        assert each in page.text
    assert browser.get(f"{path}?system=cmd").all("option", value="cmd", selected="")
    assert browser.get(f"{path}?system=amiga").all("option", value=system, selected="")


@pytest.mark.parametrize(
    ("system", "variable"),
    [
        ("linux", "export TWINE_USERNAME='o'\"'\"'neil@linux.example'"),
        ("powershell", "$env:TWINE_USERNAME = 'o''neil@powershell.example'"),
        ("cmd", 'set "TWINE_USERNAME=o\'neil@cmd.example"'),
    ],
)
def test_each_shell_quotes_the_user_name(
    browser: Browser, index: Index, system: str, variable: str
) -> None:
    email = f"o'neil@{system}.example"
    index.server.user(email=email)
    path = f"/portal/repositories/{index.name}/connection"
    page = browser.get(f"{path}?system={system}&user={quote(email)}")
    assert variable in page.text


def test_every_place_of_the_passphrase_says_how_to_quote_it(browser: Browser, index: Index) -> None:
    expected = {"url", "ini", "toml", "netrc"}
    for system, quoting in (("linux", "sh"), ("powershell", "powershell"), ("cmd", "cmd")):
        page = browser.get(f"/portal/repositories/{index.name}/connection?system={system}")
        places = page.all("span", class_="secret-place")
        assert {each["data-quoting"] for each in places} == {*expected, quoting}
        # Besides these places, only the explanation has the placeholder.
        assert page.text.count(PASSPHRASE) == len(places) + 1


def test_the_field_for_the_passphrase_is_absent_without_javascript(
    browser: Browser, index: Index
) -> None:
    page = browser.get(f"/portal/repositories/{index.name}/connection")
    (field,) = page.all("div", id="secret-field")
    assert "hidden" in field
    (secret,) = page.all("input", id="secret")
    # No form contains the field, and without a name no browser submits it.
    assert "name" not in secret
    assert secret["autocomplete"] == "off"


def test_the_url_has_the_host_of_the_request(index: Index) -> None:
    response = index.server.request(
        "GET",
        f"/api/repositories/{index.name}/connection",
        auth=index.server.admin,
        headers={"Host": "index.example.com:8080"},
    ).json()
    assert response["url"] == f"http://index.example.com:8080/repositories/{index.name}"


def test_the_settings_of_a_chosen_user_are_shown(browser: Browser, index: Index) -> None:
    email, _ = index.server.user(email="someone+else@example.com")
    path = f"/portal/repositories/{index.name}/connection"
    page = browser.get(f"{path}?user={quote(email)}")
    # With many users, the page has a text field instead of a list.
    listed = page.all("option", selected="", value=email)
    assert listed or page.all("input", name="user", value=email)
    assert f"username = {email}" in page.text
    assert quote(email, safe="") in page.text
    page = browser.get(f"{path}?user=nobody@example.com", status=404)
    assert "The user nobody@example.com was not found." in page.text
    assert index.api("GET", "/connection?user=nobody@example.com").status_code == 404


def test_a_placeholder_is_shown_if_there_are_no_users(own_server: Server) -> None:
    own_server.api_json("POST", "/repositories", {"name": "demo"})
    response = own_server.api_json("GET", "/repositories/demo/connection")
    assert response["username"] == "you@example.com"
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    page = browser.get("/portal/repositories/demo/connection")
    assert "There are no repository users yet. Create a user" in page.text
    # The default is the first user who can publish.
    own_server.user(email="a-reader@example.com", read_only=True)
    own_server.user(email="publisher@example.com")
    response = own_server.api_json("GET", "/repositories/demo/connection")
    assert response["username"] == "publisher@example.com"
    # The user that is named like the repository is preferred.
    own_server.user(email="demo@example.com")
    response = own_server.api_json("GET", "/repositories/demo/connection")
    assert response["username"] == "demo@example.com"
    browser.close()


def test_connection_settings_of_an_unknown_repository_are_404(server: Server) -> None:
    assert server.api("GET", "/repositories/nowhere/connection").status_code == 404


needs_bash = needs_posix("POSIX shell")


@needs_bash
def test_twine_uploads_with_the_pypirc(
    index: Index, settings: ConnectionSettings, workstation: Workstation
) -> None:
    save(workstation, settings.snippet("pypirc", "For twine, flit and setuptools"))
    workstation.run(settings.snippet("twine", "Upload, with the .pypirc above").text)
    assert_published(index)


@needs_bash
def test_twine_uploads_with_variables(
    index: Index, settings: ConnectionSettings, workstation: Workstation
) -> None:
    workstation.run(settings.snippet("twine", "Upload, with environment variables").text)
    assert_published(index)


@needs_bash
def test_pip_installs_with_the_command(
    index: Index, settings: ConnectionSettings, workstation: Workstation
) -> None:
    index.add(WHEEL)
    workstation.make_venv()
    workstation.run(settings.snippet("pip", "Install").text)
    assert_installed(index, workstation)


@needs_bash
@pytest.mark.skipif(sys.platform == "darwin", reason="the path is that of Linux")
def test_pip_installs_with_its_configuration_file(
    index: Index, settings: ConnectionSettings, workstation: Workstation
) -> None:
    index.add(WHEEL)
    workstation.make_venv()
    save(workstation, settings.snippet("pip", "Configure every install"))
    workstation.run("pip install PACKAGE")
    assert_installed(index, workstation)


@needs_bash
def test_pip_installs_from_a_requirements_file(
    index: Index, settings: ConnectionSettings, workstation: Workstation
) -> None:
    index.add(WHEEL)
    workstation.make_venv()
    save(workstation, settings.snippet("pip", "With a requirements file"))
    workstation.run("pip install -r requirements.txt")
    assert_installed(index, workstation)


@needs_bash
def test_uv_publishes(index: Index, settings: ConnectionSettings, workstation: Workstation) -> None:
    workstation.run(settings.snippet("uv", "Publish").text)
    assert_published(index)


@needs_bash
def test_uv_installs_with_variables(
    index: Index, settings: ConnectionSettings, workstation: Workstation
) -> None:
    index.add(WHEEL)
    workstation.make_venv()
    workstation.run(settings.snippet("uv", "Install").text)
    assert_installed(index, workstation)


@needs_bash
def test_uv_installs_with_its_configuration_file(
    index: Index, settings: ConnectionSettings, workstation: Workstation
) -> None:
    index.add(WHEEL)
    workstation.make_venv()
    save(workstation, settings.snippet("uv", "Configure every install"))
    workstation.run("uv pip install PACKAGE")
    assert_installed(index, workstation)


@needs_bash
def test_uv_adds_a_dependency_to_a_project(
    index: Index, settings: ConnectionSettings, workstation: Workstation
) -> None:
    index.add(WHEEL)
    workstation.write("pyproject.toml", CONSUMING_PROJECT)
    save(workstation, settings.snippet("uv", "Configure one project"))
    workstation.run(settings.snippet("uv", "Install, with the file above").text)
    assert PACKAGE in (workstation.project / "uv.lock").read_text(encoding="utf-8")
    assert index.password not in (workstation.project / "uv.lock").read_text(encoding="utf-8")
    workstation.run("uv run --no-sync python -c 'import cloudrepo_portal_demo'")


@needs_bash
def test_the_github_workflow_publishes(
    index: Index, settings: ConnectionSettings, workstation: Workstation
) -> None:
    workflow = settings.snippet(
        "github-actions", "With the passphrase in the secret CLOUDREPO_PASSPHRASE"
    )
    assert workflow.file == ".github/workflows/publish.yml"
    assert index.password not in workflow.text
    assert PASSPHRASE not in workflow.text
    steps, _, variables = workflow.text.partition("        env:\n")
    exported = "".join(
        "export {}={}\n".format(*line.strip().split(": ", 1)) for line in variables.splitlines()
    ).replace("${{ secrets.CLOUDREPO_PASSPHRASE }}", index.password)
    (upload,) = [line for line in steps.splitlines() if "twine upload" in line]
    command = upload.partition("run: ")[2].replace("python", sys.executable)
    workstation.run(exported + command)
    assert_published(index)
