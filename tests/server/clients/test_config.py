"""What clients are told, as they read it, and whether they reach the repository with it.

The clients that are not installed beside these tests are tried where they are on the PATH.
"""

from __future__ import annotations

import configparser
import netrc
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit

import pytest

from cloudrepo_server import clients
from cloudrepo_server.clients import Connection
from pytest_cloudrepo._programs import command
from pytest_cloudrepo._programs.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.factories import ProjectFactory, VirtualEnvFactory
    from tests.support.index import Index, Server

    How = Literal["variables", "file"]

PASSWORDS: Final = {
    "plain": "correct-horse",
    "of a URL": "p@s:w/rd?a=b&c#d",
    "percent": "100%(sure)s%40%%",
    "quotes": 'it\'s "quoted" \\"',
    "shell": "$HOME ${HOME} `id` ~ ! * ; | <>",
    "blanks inside": "two  words\tand a tab",
    "accents": "é ü ß €",
    "braces": "{name} [section] {{x}}",
    "comment": "#hash ;semicolon = : equals",
    "delete": "a\x7fb",
}
EVERY_PASSWORD = pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)


def connection(password: str = PASSWORDS["of a URL"]) -> Connection:
    return Connection(
        "http://127.0.0.1:8080/repositories/demo", "demo", "first.last+x@example.com", password
    )


@EVERY_PASSWORD
def test_the_index_url_holds_the_credentials(password: str) -> None:
    url = connection(password).index_url
    parts = urlsplit(url)
    assert unquote(parts.username or "") == "first.last+x@example.com"
    assert unquote(parts.password or "") == password
    assert (parts.hostname, parts.port, parts.path) == ("127.0.0.1", 8080, "/repositories/demo")
    assert url.isascii()


def test_a_password_is_not_seen_in_a_connection() -> None:
    assert "secret" not in repr(connection("secret"))


@EVERY_PASSWORD
@pytest.mark.parametrize("tool", ["twine", "flit"])
def test_a_pypirc_is_read_as_it_was_meant(password: str, tool: str) -> None:
    file = clients.config_file(tool, connection(password))
    assert file.name == ".pypirc"
    for parser in (configparser.RawConfigParser(), configparser.ConfigParser(interpolation=None)):
        parser.read_string(file.text)
        assert parser["distutils"]["index-servers"] == "cloudrepo"
        assert dict(parser["cloudrepo"]) == {
            "repository": connection().url,
            "username": connection().username,
            "password": password,
        }


@pytest.mark.parametrize("password", [" blank", "blank ", "\ttab", "two\nlines", "two\u2028lines"])
def test_what_a_pypirc_cannot_hold_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match=r"a \.pypirc cannot hold a password with line breaks"):
        clients.config_file("twine", connection(password))


@EVERY_PASSWORD
def test_a_netrc_is_read_as_it_was_meant(tmp_path: Path, password: str) -> None:
    path = tmp_path / ".netrc"
    path.write_text(clients.config_file("netrc", connection(password)).text, encoding="utf-8")
    path.chmod(0o600)
    found = netrc.netrc(path).authenticators("127.0.0.1")
    assert found is not None
    assert (found[0], found[2]) == (connection().username, password)


def test_a_netrc_has_quotes_only_where_it_needs_them() -> None:
    # Python's own reader keeps them until 3.11.
    plain, blank = (
        clients.config_file("netrc", connection(password)).text
        for password in ("p@ss:w/o%r#d?+é", "pass word")
    )
    assert plain.endswith(" password p@ss:w/o%r#d?+é\n")
    assert blank.endswith(' password "pass word"\n')


@EVERY_PASSWORD
def test_toml_is_read_as_it_was_meant(password: str) -> None:
    to = connection(password)
    login = {"url": to.url, "username": to.username, "password": password}
    read = {
        tool: tomllib.loads(clients.config_file(tool, to).text)
        for tool in ("uv", "poetry", "pdm", "hatch")
    }
    assert read["uv"]["index"] == [{"name": "cloudrepo", "url": to.index_url, "default": True}]
    assert read["uv"]["publish-url"] == to.url
    assert read["poetry"] == {
        "repositories": {"cloudrepo": {"url": to.url}},
        "http-basic": {"cloudrepo": {"username": to.username, "password": password}},
    }
    assert read["pdm"] == {"pypi": {"url": to.index_url}, "repository": {"cloudrepo": login}}
    assert read["hatch"]["publish"]["index"] == {
        "repo": "cloudrepo",
        "repos": {"cloudrepo": {"url": to.url, "user": to.username, "auth": password}},
    }


@pytest.mark.parametrize("tool", ["pip", "tox"])
def test_a_pip_conf_is_read_as_it_was_meant(tool: str) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(clients.config_file(tool, connection("100%")).text)
    assert parser["global"]["index-url"] == connection("100%").index_url


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
def test_a_projects_own_table_names_the_repository_and_no_password(tool: str) -> None:
    text = clients.pyproject_table(tool, connection("secret"))
    (table,) = next(iter(tomllib.loads(text)["tool"][tool].values()))
    assert table["name"] == "cloudrepo"
    assert table["url"] == connection().url
    assert "secret" not in text


@pytest.mark.parametrize(
    "function", [clients.variables, clients.config_file, clients.pyproject_table]
)
def test_a_tool_that_is_not_known_is_named(function: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match=r"'conda'; choose from .*uv"):
        function("conda", connection())


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        ("pip", {"PIP_RETRIES", "PIP_RESUME_RETRIES"}),
        ("uv", {"UV_HTTP_RETRIES"}),
        ("poetry", {"POETRY_REQUESTS_MAX_RETRIES"}),
        ("tox", {"PIP_RETRIES", "PIP_RESUME_RETRIES", "UV_HTTP_RETRIES"}),
    ],
)
def test_retries_are_set_for_the_tools_that_have_such_a_setting(tool: str, names: set[str]) -> None:
    without = clients.variables(tool, connection())
    assert clients.variables(tool, connection(), retries=2) == {
        **without,
        **dict.fromkeys(names, "2"),
    }


@pytest.mark.parametrize("tool", ["twine", "pdm", "hatch", "flit"])
def test_retries_are_refused_for_the_tools_that_have_no_such_setting(tool: str) -> None:
    with pytest.raises(ValueError, match=f"{tool} has no setting for its retries"):
        clients.variables(tool, connection(), retries=0)


def test_fewer_than_no_retries_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative: -1"):
        clients.variables("pip", connection(), retries=-1)


def test_of_several_indexes_uv_asks_the_first_one_first() -> None:
    assert clients.index_variables(["http://a", "http://b", "http://c"]) == {
        "PIP_INDEX_URL": "http://a",
        "PIP_EXTRA_INDEX_URL": "http://b http://c",
        "UV_INDEX": "http://a http://b",
        "UV_DEFAULT_INDEX": "http://c",
    }


def test_the_module_needs_the_standard_library_only() -> None:
    folder = Path(clients.__file__).parents[2]
    script = f"import sys; sys.path.append({str(folder)!r}); import cloudrepo_server.clients"
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# What follows starts the clients themselves.

HARD: Final = "p@s: /%#?é+$\"'=\\&{}${HOME}%(x)s;~<>|`*!^,[]"

# How a program is told where its file is; the others look into their home.
NAMING: Final = {
    "pip": "PIP_CONFIG_FILE",
    "tox": "PIP_CONFIG_FILE",
    "uv": "UV_CONFIG_FILE",
}

BY_EACH_WAY = pytest.mark.parametrize("how", ["variables", "file"])


@pytest.fixture
def hard(server: Server) -> Index:
    """A repository whose user has a passphrase of hard characters."""
    index = server.repository()
    username, password = server.user(passphrase=HARD)
    return type(index)(server, index.name, username, password)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "environment")


def to(index: Index) -> Connection:
    return Connection(index.url, index.name, index.username, index.password)


def told(environment: Environment, tool: str, how: How, index: Index) -> dict[str, str]:
    """The environment of a tool that is told so."""
    if how == "variables":
        return environment.for_tool(tool, to(index))
    # Variables count more than files, so those that close the way to the public index go.
    closing = {"PIP_INDEX_URL", "UV_INDEX_URL", "PDM_PYPI_URL", "PDM_PUBLISH_REPO"}
    environ = {name: value for name, value in environment.scrubbed().items() if name not in closing}
    file = environment.write_config(tool, to(index), Path(environ["HOME"]))
    return environ | ({NAMING[tool]: str(file)} if tool in NAMING else {})


def program(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def run(*arguments: str | Path, environ: dict[str, str], cwd: Path) -> CommandResult:
    return command.run(
        arguments, environ=environ, cwd=cwd, timeout=120, check=False, secrets=[HARD]
    )


@BY_EACH_WAY
@pytest.mark.parametrize("tool", ["twine", "uv"])
def test_a_client_uploads(
    hard: Index, environment: Environment, cloudrepo_project: ProjectFactory, tool: str, how: How
) -> None:
    by_file = how == "file"
    named: dict[str, list[str]] = {"twine": ["--repository", "cloudrepo"]}
    options = {
        "twine": ["upload", "--disable-progress-bar", "dist/*"],
        "uv": ["publish"],
    }[tool]
    start = program(tool)
    environ = told(environment, tool, how, hard)
    if tool == "uv" and by_file:
        # Its file has no place for these.
        environ |= {
            name: value
            for name, value in clients.variables("uv", to(hard)).items()
            if name in {"UV_PUBLISH_USERNAME", "UV_PUBLISH_PASSWORD"}
        }
    project = cloudrepo_project("demo", "1.0")
    project.build()
    extra = named.get(tool, []) if by_file else []
    result = run(*start, *options, *extra, environ=environ, cwd=project.folder)
    assert result.ok, result.output
    assert set(hard.files()) == {"demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"}
    assert {one["user"] for one in hard.journal() if one["method"] == "POST"} == {hard.username}


TOX_INI: Final = "[testenv]\nskip_install = true\ndeps = demo\ncommands = python -c 'import demo'\n"


@BY_EACH_WAY
@pytest.mark.parametrize("tool", ["pip", "uv", "tox"])
def test_a_client_installs(
    hard: Index,
    environment: Environment,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv_factory: VirtualEnvFactory,
    tmp_path: Path,
    tool: str,
    how: How,
) -> None:
    start = program(tool) if tool != "pip" else []
    publish(hard, cloudrepo_project)
    folder = tmp_path / "user"
    folder.mkdir()
    (folder / "tox.ini").write_text(TOX_INI, encoding="utf-8")
    venv = cloudrepo_venv_factory()
    environ = told(environment, tool, how, hard) | {
        name: venv.environ[name] for name in ("PATH", "VIRTUAL_ENV")
    }
    arguments: dict[str, list[str | Path]] = {
        "pip": [venv.python, "-m", "pip", "install", "demo"],
        "uv": ["pip", "install", "--python", venv.python, "demo"],
        "tox": ["run", "-e", "py"],
    }
    result = run(*start, *arguments[tool], environ=environ, cwd=folder)
    assert result.ok, result.output
    if tool != "tox":  # which installs into an environment of its own
        assert venv.version("demo") == "1.0"
    read = [one for one in hard.journal() if one["status"] == 200]
    assert {one["user"] for one in read} == {hard.username}
    assert any(one["filename"] == "demo-1.0-py3-none-any.whl" for one in read)


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_a_client_installs_with_a_netrc(
    hard: Index,
    environment: Environment,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv_factory: VirtualEnvFactory,
    tmp_path: Path,
    tool: str,
) -> None:
    publish(hard, cloudrepo_project)
    venv = cloudrepo_venv_factory()
    environ = environment.scrubbed()
    environment.write_config("netrc", to(hard), Path(environ["HOME"]))
    install: dict[str, list[str | Path]] = {
        "pip": [venv.python, "-m", "pip", "install"],
        "uv": [*program("uv"), "pip", "install", "--python", venv.python],
    }
    result = run(*install[tool], "--index-url", hard.url, "demo", environ=environ, cwd=tmp_path)
    assert result.ok, result.output
    assert venv.version("demo") == "1.0"


def publish(index: Index, project: ProjectFactory) -> None:
    for path in project("demo", "1.0").build(sdist=False):
        answer = index.server.request(
            "PUT",
            f"/api/repositories/{index.name}/files/{path.name}",
            data=path.read_bytes(),
            auth=index.server.admin,
        )
        assert answer.ok, answer.text
