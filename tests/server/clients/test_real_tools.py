"""Real tools that upload and install with the variables and files that configure them.

Here are the tools that are installed with the tests. `tests/clients` has the others.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pytest

from cloudrepo_server import clients
from cloudrepo_server.clients import Connection
from pytest_cloudrepo._programs import command
from pytest_cloudrepo._programs.environment import Environment
from tests.support.platforms import NEEDS_VENV

if TYPE_CHECKING:
    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.factories import ProjectFactory, VirtualEnvFactory
    from tests.support.index import Index, Server

    Method = Literal["variables", "file"]

SPECIAL_CHARACTERS: Final = "p@s: /%#?é+$\"'=\\&{}${HOME}%(x)s;~<>|`*!^,[]"
TOX_INI: Final = "[testenv]\nskip_install = true\ndeps = demo\ncommands = python -c 'import demo'\n"
# The variables that name a tool's configuration file. Other tools search their home folder.
FILE_VARIABLES: Final = {
    "pip": "PIP_CONFIG_FILE",
    "tox": "PIP_CONFIG_FILE",
    "uv": "UV_CONFIG_FILE",
}
# These variables block the public index, but also have precedence over configuration files.
BLOCKING_VARIABLES: Final = {"PIP_INDEX_URL", "UV_INDEX_URL", "PDM_PYPI_URL", "PDM_PUBLISH_REPO"}
EACH_METHOD = pytest.mark.parametrize("method", ["variables", "file"])


@pytest.fixture
def index(server: Server) -> Index:
    """A repository and a user whose passphrase has many special characters."""
    index = server.repository()
    username, password = server.user(passphrase=SPECIAL_CHARACTERS)
    return type(index)(server, index.name, username, password)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "environment")


def connection_to(index: Index) -> Connection:
    return Connection(index.url, index.name, index.username, index.password)


def configure(environment: Environment, tool: str, method: Method, index: Index) -> dict[str, str]:
    """Return an environment in which the tool is configured by this method."""
    if method == "variables":
        return environment.for_tool(tool, connection_to(index))
    environ = {
        name: value
        for name, value in environment.scrubbed().items()
        if name not in BLOCKING_VARIABLES
    }
    file = environment.write_config(tool, connection_to(index), Path(environ["HOME"]))
    return environ | ({FILE_VARIABLES[tool]: str(file)} if tool in FILE_VARIABLES else {})


def module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def run(*arguments: str | Path, environ: dict[str, str], cwd: Path) -> CommandResult:
    return command.run(
        arguments,
        environ=environ,
        cwd=cwd,
        timeout=120,
        check=False,
        secrets=[SPECIAL_CHARACTERS],
    )


def publish(index: Index, project: ProjectFactory) -> None:
    """Publish demo 1.0 through the admin API."""
    for path in project("demo", "1.0").build(sdist=False):
        response = index.server.request(
            "PUT",
            f"/api/repositories/{index.name}/files/{path.name}",
            data=path.read_bytes(),
            auth=index.server.admin,
        )
        assert response.ok, response.text


@EACH_METHOD
@pytest.mark.parametrize("tool", ["twine", "uv"])
def test_a_tool_uploads_with_its_configuration(
    index: Index,
    environment: Environment,
    cloudrepo_project: ProjectFactory,
    tool: str,
    method: Method,
) -> None:
    environ = configure(environment, tool, method, index)
    if tool == "uv":
        arguments = ["publish"]
        # uv reads no publish credentials from its configuration file.
        environ |= {
            name: value
            for name, value in clients.variables("uv", connection_to(index)).items()
            if name in {"UV_PUBLISH_USERNAME", "UV_PUBLISH_PASSWORD"}
        }
    else:
        arguments = ["upload", "--disable-progress-bar", "dist/*"]
        arguments += ["--repository", "cloudrepo"] if method == "file" else []
    project = cloudrepo_project("demo", "1.0")
    project.build()
    result = run(*module(tool), *arguments, environ=environ, cwd=project.folder)
    assert result.ok, result.output
    assert set(index.files()) == {"demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"}
    uploads = [request for request in index.journal() if request["method"] == "POST"]
    assert {upload["user"] for upload in uploads} == {index.username}


@EACH_METHOD
@pytest.mark.parametrize("tool", ["pip", "uv", pytest.param("tox", marks=NEEDS_VENV)])
def test_a_tool_installs_with_its_configuration(
    index: Index,
    environment: Environment,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv_factory: VirtualEnvFactory,
    tmp_path: Path,
    tool: str,
    method: Method,
) -> None:
    publish(index, cloudrepo_project)
    folder = tmp_path / "user"
    folder.mkdir()
    (folder / "tox.ini").write_text(TOX_INI, encoding="utf-8")
    venv = cloudrepo_venv_factory()
    environ = configure(environment, tool, method, index) | {
        name: venv.environ[name] for name in ("PATH", "VIRTUAL_ENV")
    }
    commands: dict[str, list[str | Path]] = {
        "pip": [venv.python, "-m", "pip", "install", "demo"],
        "uv": [*module("uv"), "pip", "install", "--python", venv.python, "demo"],
        "tox": [*module("tox"), "run", "-e", "py"],
    }
    result = run(*commands[tool], environ=environ, cwd=folder)
    assert result.ok, result.output
    if tool != "tox":  # tox installs into its own environment
        assert venv.version("demo") == "1.0"
    accepted = [request for request in index.journal() if request["status"] == 200]
    assert {request["user"] for request in accepted} == {index.username}
    assert "demo-1.0-py3-none-any.whl" in {request["filename"] for request in accepted}


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_a_tool_installs_with_a_netrc(
    index: Index,
    environment: Environment,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv_factory: VirtualEnvFactory,
    tmp_path: Path,
    tool: str,
) -> None:
    publish(index, cloudrepo_project)
    venv = cloudrepo_venv_factory()
    environ = environment.scrubbed()
    environment.write_config("netrc", connection_to(index), Path(environ["HOME"]))
    install: dict[str, list[str | Path]] = {
        "pip": [venv.python, "-m", "pip", "install"],
        "uv": [*module("uv"), "pip", "install", "--python", venv.python],
    }
    result = run(*install[tool], "--index-url", index.url, "demo", environ=environ, cwd=tmp_path)
    assert result.ok, result.output
    assert venv.version("demo") == "1.0"
