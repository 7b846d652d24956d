"""Installs with real clients: dependency, extra, yanked release, release for another Python."""

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
from tests.support.clients.installer import Installer, installed_versions
from tests.support.clients.releases import GRAPH, REQUIREMENT, VERSIONS
from tests.support.clients.sections import INSTALLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo.factories import VirtualEnvFactory
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.venv import VirtualEnv
    from tests.support.clients.client import Client, InstalledClient
    from tests.support.clients.table import RecordRow

OUTCOME = "app 1.0 with base 1.0 and extra 1.0"
STEMS = ["app-1.0", "base-1.0", "extra-1.0"]
SUPPORTS_YANKED = Version("19.2")
# The first pip that decodes credentials in a URL. Older versions send them undecoded.
DECODES_CREDENTIALS = Version("10")
PROJECT = f"""\
[project]
name = "project"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["{REQUIREMENT}"]

"""


@pytest.fixture
def create_installer(
    cloudrepo: Repository,
    install_client: Callable[[Client], InstalledClient],
    tmp_path: Path,
    record_row: RecordRow,
) -> Callable[[Client], Installer]:
    """A function that prepares an installer for a repository with the packages of `GRAPH`."""
    cloudrepo.publish_all(GRAPH)

    def create(client: Client) -> Installer:
        return Installer(install_client(client), cloudrepo, tmp_path, record_row)

    return create


@pytest.fixture
def newest_pip(install_client: Callable[[Client], InstalledClient], cache_folder: Path) -> Path:
    """The wheel of the newest pip."""
    pip = install_client(catalogue.PIPS[-1])
    folder = cache_folder / "wheels"
    machine.run(
        *(pip.python, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--dest", folder, f"pip=={pip.version}"),
    )
    return next(folder.glob(f"pip-{pip.version}-*.whl"))


def url_without_encoding(repository: Repository) -> str:
    """Return the index URL with credentials that are not percent-encoded."""
    login = f"{repository.username}:{repository.password}"
    return Secret(repository.url.replace("://", f"://{login}@"))


def expect_requests(repository: Repository, agent: str) -> None:
    """Check that the client downloaded each compatible file once, and no other, as the user."""
    requests = [each for each in repository.requests if each.project in VERSIONS]
    downloads = [each for each in repository.requests.downloads() if each.project in VERSIONS]
    filenames = sorted(str(each.filename) for each in downloads)
    assert [name.rpartition("-py")[0] for name in filenames] == STEMS
    assert {each.status for each in requests} == {200}
    assert {each.user for each in requests} == {repository.username}
    assert all(each.user_agent.startswith(agent) for each in requests)


@pytest.mark.parametrize("client", catalogue.PIPS, ids=str)
def test_pip_installs(client: Client, create_installer: Callable[[Client], Installer]) -> None:
    pip = create_installer(client)
    environment = pip.copy_environment()
    version = Version(pip.installed.version)
    result = pip.run(
        *(program(environment, "python"), "-m", "pip", "install", REQUIREMENT),
        environ={"PIP_INDEX_URL": url_without_encoding(pip.repository)}
        if version < DECODES_CREDENTIALS
        else None,
    )
    if version < SUPPORTS_YANKED:
        assert installed_versions(environment) == {**VERSIONS, "base": "1.1"}
        outcome = "base 1.1: this version does not support yanked releases"
    else:
        assert installed_versions(environment) == VERSIONS
        expect_requests(pip.repository, f"pip/{pip.installed.version}")
        outcome = OUTCOME
    pip.record(INSTALLS, "`pip install`", result, outcome, shows="Successfully installed")


def test_uv_pip_installs(
    create_installer: Callable[[Client], Installer], cloudrepo_venv_factory: VirtualEnvFactory
) -> None:
    uv = create_installer(catalogue.UV)
    venv = cloudrepo_venv_factory(pip=False)
    result = uv.run("uv", "pip", "install", "--python", venv.python, REQUIREMENT, tool="uv")
    assert installed_versions(venv.folder) == VERSIONS
    expect_requests(uv.repository, "uv/")
    uv.record(INSTALLS, "`uv pip install`", result, OUTCOME, shows="Installed 3 packages")


def test_uv_locks_and_syncs(create_installer: Callable[[Client], Installer]) -> None:
    uv = create_installer(catalogue.UV)
    uv.write("pyproject.toml", PROJECT)
    locked = uv.run("uv", "lock", "--python", sys.executable, tool="uv")
    text = (uv.folder / "uv.lock").read_text("utf-8")
    assert uv.repository.password not in text
    packages = tomllib.loads(text)["package"]
    # The lock file also has base 2.0, for Pythons that do not exist yet.
    assert sorted(each["name"] for each in packages) == ["app", "base", "base", "extra", "project"]
    wheels = [wheel for each in packages for wheel in each.get("wheels", ())]
    assert len(wheels) == 4
    assert all({"url", "hash", "size", "upload-time"} == wheel.keys() for wheel in wheels)
    result = uv.run(
        *("uv", "sync", "--locked", "--no-install-project", "--python", sys.executable), tool="uv"
    )
    assert installed_versions(uv.folder / ".venv") == VERSIONS
    expect_requests(uv.repository, "uv/")
    outcome = "the lock file has hashes, sizes and upload times, and no credentials"
    uv.record(INSTALLS, "`uv lock`", locked, outcome, shows="Resolved")
    uv.record(INSTALLS, "`uv sync --locked`", result, OUTCOME, shows="Installed 3")


def test_poetry_installs(create_installer: Callable[[Client], Installer]) -> None:
    poetry = create_installer(catalogue.POETRY)
    poetry.write(
        "pyproject.toml", PROJECT + pyproject_table("poetry", poetry.repository.connection)
    )
    result = poetry.run(
        *("poetry", "install", "--no-root"),
        tool="poetry",
        environ={"POETRY_VIRTUALENVS_IN_PROJECT": "true"},
    )
    assert installed_versions(poetry.folder / ".venv") == VERSIONS
    expect_requests(poetry.repository, "poetry/")
    poetry.record(INSTALLS, "`poetry install`", result, OUTCOME, shows="Installing app")


def test_pdm_installs(create_installer: Callable[[Client], Installer]) -> None:
    pdm = create_installer(catalogue.PDM)
    pdm.write("pyproject.toml", PROJECT)
    result = pdm.run("pdm", "install", "--no-self", tool="pdm")
    assert installed_versions(pdm.folder / ".venv") == VERSIONS
    expect_requests(pdm.repository, "pdm/")
    pdm.record(INSTALLS, "`pdm install`", result, OUTCOME, shows="Install app")


def test_pipenv_installs(create_installer: Callable[[Client], Installer]) -> None:
    pipenv = create_installer(catalogue.PIPENV)
    source = 'name = "cloudrepo"\nurl = "${INDEX_URL}"\nverify_ssl = true\n'
    pipenv.write("Pipfile", f"[[source]]\n{source}")
    result = pipenv.run(
        *("pipenv", "install", REQUIREMENT),
        environ={"PIPENV_VENV_IN_PROJECT": "1", "INDEX_URL": pipenv.repository.index_url},
    )
    lock = (pipenv.folder / "Pipfile.lock").read_text("utf-8")
    assert pipenv.repository.password not in lock
    assert lock.count('"sha256:') == 6
    assert installed_versions(pipenv.folder / ".venv") == VERSIONS
    expect_requests(pipenv.repository, "pip/")
    pipenv.record(INSTALLS, "`pipenv install`", result, OUTCOME, shows="(?i)install")


def test_hatch_installs_into_an_environment(
    create_installer: Callable[[Client], Installer],
) -> None:
    hatch = create_installer(catalogue.HATCH)
    environment = f'skip-install = true\ndependencies = ["{REQUIREMENT}"]\n'
    hatch.write("pyproject.toml", f"{PROJECT}[tool.hatch.envs.default]\n{environment}")
    result = hatch.run("hatch", "env", "create", tool="hatch")
    path = hatch.run("hatch", "env", "find", tool="hatch").stdout.strip()
    assert installed_versions(Path(path)) == VERSIONS
    expect_requests(hatch.repository, "pip/")
    hatch.record(INSTALLS, "`hatch env create`", result, OUTCOME)


def test_pip_tools_pins_every_file_with_its_hash(
    create_installer: Callable[[Client], Installer], cloudrepo_venv: VirtualEnv
) -> None:
    tools = create_installer(catalogue.PIP_TOOLS)
    tools.write("requirements.in", REQUIREMENT)
    compiled = tools.run("pip-compile", "--generate-hashes", "--no-emit-index-url")
    pinned = (tools.folder / "requirements.txt").read_text("utf-8")
    assert pinned.count("--hash=sha256:") == 6
    assert tools.repository.password not in pinned
    tools.repository.requests.clear()
    result = tools.run("pip-sync", "--python-executable", cloudrepo_venv.python)
    assert installed_versions(cloudrepo_venv.folder) == VERSIONS
    expect_requests(tools.repository, "pip/")
    outcome = "the hash of every file is pinned"
    tools.record(INSTALLS, "`pip-compile --generate-hashes`", compiled, outcome, shows="base==1.0")
    tools.record(INSTALLS, "`pip-sync`", result, OUTCOME, shows="Successfully installed")


@pytest.mark.parametrize("backend", ["pip", "uv"])
def test_pipx_installs_a_command(
    create_installer: Callable[[Client], Installer],
    install_client: Callable[[Client], InstalledClient],
    newest_pip: Path,
    backend: str,
) -> None:
    pipx = create_installer(catalogue.PIPX)
    # pipx also installs pip, and requires a recent version.
    pipx.repository.publish(newest_pip)
    programs = pipx.folder / "programs"
    uv = install_client(catalogue.UV).python.parent
    environ = {
        "PIPX_DEFAULT_BACKEND": backend,
        "PIPX_HOME": str(pipx.folder / "home"),
        "PIPX_BIN_DIR": str(programs),
        "PATH": os.pathsep.join([str(uv), os.environ.get("PATH", os.defpath)]),
    }
    result = pipx.run("pipx", "install", REQUIREMENT, tool=backend, environ=environ)
    assert pipx.run(next(programs.iterdir())).stdout == "app 1.0\n"
    assert installed_versions(pipx.folder / "home" / "venvs" / "app") == VERSIONS
    expect_requests(pipx.repository, f"{backend}/")
    action = f"`pipx install` with {backend}"
    pipx.record(INSTALLS, action, result, "the command runs", shows="installed package")


def test_pex_bundles_a_command(create_installer: Callable[[Client], Installer]) -> None:
    pex = create_installer(catalogue.PEX)
    result = pex.run(
        *("pex", REQUIREMENT, "--use-pip-config", "--script", "app", "--output-file", "app.pex")
    )
    bundle = pex.folder / "app.pex"
    assert pex.run(pex.installed.python, bundle).stdout == "app 1.0\n"
    with ZipFile(bundle) as archive:
        info = json.loads(archive.read("PEX-INFO"))
    assert sorted(name.partition("-py")[0] for name in info["distributions"]) == STEMS
    expect_requests(pex.repository, "pip/")
    pex.record(INSTALLS, "`pex --use-pip-config`", result, "the bundled command runs")
