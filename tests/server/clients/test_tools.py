"""The variables and configuration files of each tool, as the formats' own parsers read them."""

from __future__ import annotations

import configparser
import netrc
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import pytest

from cloudrepo_server import clients
from cloudrepo_server.clients import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

USERNAME: Final = "first.last+x@example.com"
PASSWORDS: Final = {
    "plain": "correct-horse",
    "URL delimiters": "p@s:w/rd?a=b&c#d",
    "percent signs": "100%(sure)s%40%%",
    "quotes": 'it\'s "quoted" \\"',
    "shell syntax": "$HOME ${HOME} `id` ~ ! * ; | <>",
    "inner white space": "two  words\tand a tab",
    "non-ASCII letters": "é ü ß €",
    "braces": "{name} [section] {{x}}",
    "comment signs": "#hash ;semicolon = : equals",
    "DEL": "a\x7fb",
}
EACH_PASSWORD = pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)


def connection(password: str = PASSWORDS["URL delimiters"]) -> Connection:
    return Connection("http://127.0.0.1:8080/repositories/demo", "demo", USERNAME, password)


@EACH_PASSWORD
def test_the_index_url_contains_the_percent_encoded_credentials(password: str) -> None:
    url = connection(password).index_url
    parts = urlsplit(url)
    assert unquote(parts.username or "") == USERNAME
    assert unquote(parts.password or "") == password
    assert (parts.hostname, parts.port, parts.path) == ("127.0.0.1", 8080, "/repositories/demo")
    assert url.isascii()


def test_the_reprs_contain_no_password() -> None:
    assert "secret" not in repr(connection("secret"))
    assert "secret" not in repr(clients.config_file("pip", connection("secret")))


@EACH_PASSWORD
@pytest.mark.parametrize("tool", ["twine", "flit"])
def test_a_pypirc_contains_the_url_and_the_credentials(password: str, tool: str) -> None:
    file = clients.config_file(tool, connection(password))
    assert file.name == ".pypirc"
    for parser in (configparser.RawConfigParser(), configparser.ConfigParser(interpolation=None)):
        parser.read_string(file.text)
        assert parser["distutils"]["index-servers"] == "cloudrepo"
        assert dict(parser["cloudrepo"]) == {
            "repository": connection().url,
            "username": USERNAME,
            "password": password,
        }


@pytest.mark.parametrize("password", [" space", "space ", "\ttab", "two\nlines", "two\u2028lines"])
def test_a_password_that_a_pypirc_cannot_hold_is_rejected(password: str) -> None:
    with pytest.raises(ValueError, match=r"a \.pypirc cannot hold a password with line breaks"):
        clients.config_file("twine", connection(password))


@EACH_PASSWORD
def test_a_netrc_contains_the_host_and_the_credentials(tmp_path: Path, password: str) -> None:
    path = tmp_path / ".netrc"
    path.write_text(clients.config_file("netrc", connection(password)).text, encoding="utf-8")
    path.chmod(0o600)
    login = netrc.netrc(path).authenticators("127.0.0.1")
    assert login is not None
    assert (login[0], login[2]) == (USERNAME, password)


def test_a_netrc_quotes_a_password_only_if_necessary() -> None:
    # Python's own parser does not remove the quotes before 3.11.
    unquoted, quoted = (
        clients.config_file("netrc", connection(password)).text
        for password in ("p@ss:w/o%r#d?+é", "pass word")
    )
    assert unquoted.endswith(" password p@ss:w/o%r#d?+é\n")
    assert quoted.endswith(' password "pass word"\n')


@EACH_PASSWORD
def test_toml_files_contain_the_url_and_the_credentials(password: str) -> None:
    target = connection(password)
    login = {"url": target.url, "username": USERNAME, "password": password}
    settings = {
        tool: tomllib.loads(clients.config_file(tool, target).text)
        for tool in ("uv", "poetry", "pdm", "hatch")
    }
    assert settings["uv"]["index"] == [
        {"name": "cloudrepo", "url": target.index_url, "default": True}
    ]
    assert settings["uv"]["publish-url"] == target.url
    assert settings["poetry"] == {
        "repositories": {"cloudrepo": {"url": target.url}},
        "http-basic": {"cloudrepo": {"username": USERNAME, "password": password}},
    }
    assert settings["pdm"] == {
        "pypi": {"url": target.index_url},
        "repository": {"cloudrepo": login},
    }
    assert settings["hatch"]["publish"]["index"] == {
        "repo": "cloudrepo",
        "repos": {"cloudrepo": {"url": target.url, "user": USERNAME, "auth": password}},
    }


@pytest.mark.parametrize("tool", ["pip", "tox"])
def test_a_pip_conf_contains_the_index_url(tool: str) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(clients.config_file(tool, connection("100%")).text)
    assert parser["global"]["index-url"] == connection("100%").index_url


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
def test_the_pyproject_table_names_the_repository_without_a_password(tool: str) -> None:
    text = clients.pyproject_table(tool, connection("secret"))
    (table,) = next(iter(tomllib.loads(text)["tool"][tool].values()))
    assert table["name"] == "cloudrepo"
    assert table["url"] == connection().url
    assert "secret" not in text


@pytest.mark.parametrize("function", [clients.variables, clients.config_file])
def test_the_error_about_an_unknown_tool_lists_the_known_tools(
    function: Callable[..., object],
) -> None:
    with pytest.raises(ValueError, match=r"unknown tool 'conda'; choose from .*uv"):
        function("conda", connection())


def test_a_pyproject_table_of_another_tool_is_rejected() -> None:
    message = r"no pyproject\.toml table for 'pip'; choose from uv, poetry, pdm"
    with pytest.raises(ValueError, match=message):
        clients.pyproject_table("pip", connection())


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        ("pip", {"PIP_RETRIES", "PIP_RESUME_RETRIES"}),
        ("uv", {"UV_HTTP_RETRIES"}),
        ("poetry", {"POETRY_REQUESTS_MAX_RETRIES"}),
        ("tox", {"PIP_RETRIES", "PIP_RESUME_RETRIES", "UV_HTTP_RETRIES"}),
    ],
)
def test_retries_are_set_for_tools_that_support_it(tool: str, names: set[str]) -> None:
    without_retries = clients.variables(tool, connection())
    assert clients.variables(tool, connection(), retries=2) == {
        **without_retries,
        **dict.fromkeys(names, "2"),
    }


@pytest.mark.parametrize("tool", ["twine", "pdm", "hatch", "flit"])
def test_retries_are_rejected_for_tools_that_do_not_support_it(tool: str) -> None:
    with pytest.raises(ValueError, match=f"{tool} has no setting for its retries"):
        clients.variables(tool, connection(), retries=0)


def test_negative_retries_are_rejected() -> None:
    with pytest.raises(ValueError, match="must not be negative: -1"):
        clients.variables("pip", connection(), retries=-1)


def test_each_publishing_tool_has_the_token_of_a_public_index() -> None:
    variables = clients.token_variables("pypi-x", index="testpypi", upload_url="https://a.example/")
    named = {name for name, value in variables.items() if value == "pypi-x"}
    assert named == {
        *("TWINE_PASSWORD", "FLIT_PASSWORD", "PDM_PUBLISH_PASSWORD", "HATCH_INDEX_AUTH"),
        *("UV_PUBLISH_TOKEN", "POETRY_PYPI_TOKEN_TESTPYPI", "MATURIN_PYPI_TOKEN"),
    }
    users = {name for name in variables if name.endswith(("USERNAME", "USER"))}
    assert {variables[name] for name in users} == {"__token__"}
    assert variables["POETRY_REPOSITORIES_TESTPYPI_URL"] == "https://a.example/"


def test_uv_searches_several_indexes_in_their_order() -> None:
    assert clients.index_variables(["http://a", "http://b", "http://c"]) == {
        "PIP_INDEX_URL": "http://a",
        "PIP_EXTRA_INDEX_URL": "http://b http://c",
        "UV_INDEX": "http://a http://b",
        "UV_DEFAULT_INDEX": "http://c",
    }


def test_the_package_needs_only_the_standard_library() -> None:
    folder = Path(clients.__file__).parents[2]
    code = f"import sys; sys.path.append({str(folder)!r}); import cloudrepo_server.clients.snippets"
    # -S disables site-packages.
    completed = subprocess.run(
        [sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
