"""The programs that install: a dependency, an extra, a yanked release, one for other Pythons."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from packaging.version import Version

from cloudrepo_server.clients import pyproject_table
from pytest_cloudrepo._programs.secret import Secret
from tests.support.clients import catalogue, machine
from tests.support.clients.client import program
from tests.support.clients.installs import Installs, versions
from tests.support.clients.releases import GRAPH, REQUIREMENT, VERSIONS
from tests.support.clients.sections import INSTALLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo.factories import VirtualEnvFactory
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.venv import VirtualEnv
    from tests.support.clients.client import Client, Installed
    from tests.support.clients.table import Note

FOUND = "app 1.0 with base 1.0 and extra 1.0"
FILES = ["app-1.0", "base-1.0", "extra-1.0"]
KNOWS_YANKED = Version("19.2")
# What pip decodes of the credentials in a URL; before, they are sent as they stand there.
DECODES = Version("10")
PROJECT = f"""\
[project]
name = "project"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["{REQUIREMENT}"]

"""


@pytest.fixture
def installs(
    cloudrepo: Repository,
    installed: Callable[[Client], Installed],
    tmp_path: Path,
    note: Note,
) -> Callable[[Client], Installs]:
    """Puts an installer to work on a repository that holds the graph."""
    cloudrepo.publish_all(GRAPH)

    def make(client: Client) -> Installs:
        return Installs(installed(client), cloudrepo, tmp_path, note)

    return make


@pytest.fixture
def newest_pip(installed: Callable[[Client], Installed], cache_folder: Path) -> Path:
    """The wheel of the newest pip."""
    pip = installed(catalogue.PIPS[-1])
    folder = cache_folder / "wheels"
    machine.run(
        *(pip.python, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--dest", folder, f"pip=={pip.version}"),
    )
    return next(folder.glob(f"pip-{pip.version}-*.whl"))


def undecoded(repository: Repository) -> str:
    """The index's URL for a client that does not decode the credentials in it."""
    login = f"{repository.username}:{repository.password}"
    return Secret(repository.url.replace("://", f"://{login}@"))


def expect_requests(repository: Repository, agent: str) -> None:
    """Each file that fits was fetched once, no other, and all in the user's name."""
    requests = [one for one in repository.requests if one.project in VERSIONS]
    fetched = [one.filename for one in repository.requests.downloads() if one.project in VERSIONS]
    assert [name.rpartition("-py")[0] for name in sorted(map(str, fetched))] == FILES
    assert {one.status for one in requests} == {200}
    assert {one.user for one in requests} == {repository.username}
    assert all(one.user_agent.startswith(agent) for one in requests)


@pytest.mark.parametrize("client", catalogue.PIPS, ids=str)
def test_w88_pip_installs(client: Client, installs: Callable[[Client], Installs]) -> None:
    pip = installs(client)
    environment = pip.copy()
    version = Version(pip.installed.version)
    result = pip.run(
        *(program(environment, "python"), "-m", "pip", "install", REQUIREMENT),
        environ={"PIP_INDEX_URL": undecoded(pip.repository)} if version < DECODES else None,
    )
    if version < KNOWS_YANKED:
        assert versions(environment) == {**VERSIONS, "base": "1.1"}
        then = "base 1.1, as it knows nothing of yanked releases"
    else:
        assert versions(environment) == VERSIONS
        expect_requests(pip.repository, f"pip/{pip.installed.version}")
        then = FOUND
    pip.note(INSTALLS, "`pip install`", result, then, shows="Successfully installed")


def test_w88_uv_pip_installs(
    installs: Callable[[Client], Installs], cloudrepo_venv_factory: VirtualEnvFactory
) -> None:
    uv = installs(catalogue.UV)
    venv = cloudrepo_venv_factory(pip=False)
    result = uv.run("uv", "pip", "install", "--python", venv.python, REQUIREMENT, tool="uv")
    assert versions(venv.folder) == VERSIONS
    expect_requests(uv.repository, "uv/")
    uv.note(INSTALLS, "`uv pip install`", result, FOUND, shows="Installed 3 packages")


def test_w88_uv_locks_and_syncs(installs: Callable[[Client], Installs]) -> None:
    uv = installs(catalogue.UV)
    uv.write("pyproject.toml", PROJECT)
    locked = uv.run("uv", "lock", "--python", sys.executable, tool="uv")
    text = (uv.folder / "uv.lock").read_text("utf-8")
    assert uv.repository.password not in text
    packages = tomllib.loads(text)["package"]
    # base 2.0 too, for the Pythons to come.
    assert sorted(one["name"] for one in packages) == ["app", "base", "base", "extra", "project"]
    wheels = [wheel for one in packages for wheel in one.get("wheels", ())]
    assert len(wheels) == 4
    assert all({"url", "hash", "size", "upload-time"} == wheel.keys() for wheel in wheels)
    result = uv.run(
        *("uv", "sync", "--locked", "--no-install-project", "--python", sys.executable), tool="uv"
    )
    assert versions(uv.folder / ".venv") == VERSIONS
    expect_requests(uv.repository, "uv/")
    told = "hashes, sizes and upload times are locked, no credentials"
    uv.note(INSTALLS, "`uv lock`", locked, told, shows="Resolved")
    uv.note(INSTALLS, "`uv sync --locked`", result, FOUND, shows="Installed 3")


def test_w88_poetry_installs(installs: Callable[[Client], Installs]) -> None:
    poetry = installs(catalogue.POETRY)
    poetry.write(
        "pyproject.toml", PROJECT + pyproject_table("poetry", poetry.repository.connection)
    )
    result = poetry.run(
        *("poetry", "install", "--no-root"),
        tool="poetry",
        environ={"POETRY_VIRTUALENVS_IN_PROJECT": "true"},
    )
    assert versions(poetry.folder / ".venv") == VERSIONS
    expect_requests(poetry.repository, "poetry/")
    poetry.note(INSTALLS, "`poetry install`", result, FOUND, shows="Installing app")


def test_w88_pdm_installs(installs: Callable[[Client], Installs]) -> None:
    pdm = installs(catalogue.PDM)
    pdm.write("pyproject.toml", PROJECT)
    result = pdm.run("pdm", "install", "--no-self", tool="pdm")
    assert versions(pdm.folder / ".venv") == VERSIONS
    expect_requests(pdm.repository, "pdm/")
    pdm.note(INSTALLS, "`pdm install`", result, FOUND, shows="Install app")


def test_pipenv_installs(installs: Callable[[Client], Installs]) -> None:
    pipenv = installs(catalogue.PIPENV)
    source = 'name = "cloudrepo"\nurl = "${INDEX_URL}"\nverify_ssl = true\n'
    pipenv.write("Pipfile", f"[[source]]\n{source}")
    result = pipenv.run(
        *("pipenv", "install", REQUIREMENT),
        environ={"PIPENV_VENV_IN_PROJECT": "1", "INDEX_URL": pipenv.repository.index_url},
    )
    lock = (pipenv.folder / "Pipfile.lock").read_text("utf-8")
    assert pipenv.repository.password not in lock
    assert lock.count('"sha256:') == 6
    assert versions(pipenv.folder / ".venv") == VERSIONS
    expect_requests(pipenv.repository, "pip/")
    pipenv.note(INSTALLS, "`pipenv install`", result, FOUND, shows="(?i)install")


def test_hatch_fills_an_environment(installs: Callable[[Client], Installs]) -> None:
    hatch = installs(catalogue.HATCH)
    environment = f'skip-install = true\ndependencies = ["{REQUIREMENT}"]\n'
    hatch.write("pyproject.toml", f"{PROJECT}[tool.hatch.envs.default]\n{environment}")
    result = hatch.run("hatch", "env", "create", tool="hatch")
    found = hatch.run("hatch", "env", "find", tool="hatch").stdout.strip()
    assert versions(Path(found)) == VERSIONS
    expect_requests(hatch.repository, "pip/")
    hatch.note(INSTALLS, "`hatch env create`", result, FOUND)


def test_pip_tools_pin_with_hashes(
    installs: Callable[[Client], Installs], cloudrepo_venv: VirtualEnv
) -> None:
    tools = installs(catalogue.PIP_TOOLS)
    tools.write("requirements.in", REQUIREMENT)
    compiled = tools.run("pip-compile", "--generate-hashes", "--no-emit-index-url")
    pinned = (tools.folder / "requirements.txt").read_text("utf-8")
    assert pinned.count("--hash=sha256:") == 6
    assert tools.repository.password not in pinned
    tools.repository.requests.clear()
    result = tools.run("pip-sync", "--python-executable", cloudrepo_venv.python)
    assert versions(cloudrepo_venv.folder) == VERSIONS
    expect_requests(tools.repository, "pip/")
    hashes = "every file's hash is pinned"
    tools.note(INSTALLS, "`pip-compile --generate-hashes`", compiled, hashes, shows="base==1.0")
    tools.note(INSTALLS, "`pip-sync`", result, FOUND, shows="Successfully installed")


@pytest.mark.parametrize("backend", ["pip", "uv"])
def test_pipx_installs_a_command(
    installs: Callable[[Client], Installs],
    installed: Callable[[Client], Installed],
    newest_pip: Path,
    backend: str,
) -> None:
    pipx = installs(catalogue.PIPX)
    # Which its pip wants to be of this year.
    pipx.repository.publish(newest_pip)
    programs = pipx.folder / "programs"
    uv = installed(catalogue.UV).python.parent
    told = {
        "PIPX_DEFAULT_BACKEND": backend,
        "PIPX_HOME": str(pipx.folder / "home"),
        "PIPX_BIN_DIR": str(programs),
        "PATH": os.pathsep.join([str(uv), os.environ.get("PATH", os.defpath)]),
    }
    result = pipx.run("pipx", "install", REQUIREMENT, tool=backend, environ=told)
    assert pipx.run(next(programs.iterdir())).stdout == "app 1.0\n"
    assert versions(pipx.folder / "home" / "venvs" / "app") == VERSIONS
    expect_requests(pipx.repository, f"{backend}/")
    asked = f"`pipx install`, by {backend}"
    pipx.note(INSTALLS, asked, result, "the command runs", shows="installed package")


def test_pex_packs_a_command(installs: Callable[[Client], Installs]) -> None:
    pex = installs(catalogue.PEX)
    result = pex.run(
        *("pex", REQUIREMENT, "--use-pip-config", "--script", "app", "--output-file", "app.pex")
    )
    packed = pex.folder / "app.pex"
    assert pex.run(pex.installed.python, packed).stdout == "app 1.0\n"
    with ZipFile(packed) as archive:
        info = json.loads(archive.read("PEX-INFO"))
    assert sorted(name.partition("-py")[0] for name in info["distributions"]) == FILES
    expect_requests(pex.repository, "pip/")
    pex.note(INSTALLS, "`pex --use-pip-config`", result, "the packed command runs")
