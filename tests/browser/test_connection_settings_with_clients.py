"""Connection Settings with Poetry, PDM, Hatch, Flit and tox, which the tests install."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clients import catalogue
from tests.support.clients.client import NEWEST, Client, install
from tests.support.index import Index
from tests.support.portal.connection import (
    CONSUMING_PROJECT,
    PUBLISHING_PROJECT,
    WHEEL,
    ConnectionSettings,
    assert_installed,
    assert_published,
    save,
)
from tests.support.portal.workstation import Workstation

TOX = Client("tox", NEWEST, "3.11")
CLIENTS = {
    each.name: each
    for each in (catalogue.POETRY, catalogue.PDM, catalogue.HATCH, catalogue.FLIT, TOX)
}

Installed = Callable[[str], Path]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A function that installs a client into its own environment and returns its folder."""
    chosen = os.environ.get("CLOUDREPO_CLIENTS_CACHE")
    cache = Path(chosen) if chosen else tmp_path_factory.mktemp("clients")

    def folder(client: str) -> Path:
        return install(CLIENTS[client], cache).python.parent

    return folder


BACKENDS = {
    "poetry": ("poetry-core", "poetry.core.masonry.api"),
    "pdm": ("pdm-backend", "pdm.backend"),
    "hatch": ("hatchling", "hatchling.build"),
    "flit": ("flit_core", "flit_core.buildapi"),
}


def write_project(workstation: Workstation, client: str) -> None:
    """Write a project with the build backend that belongs to a client."""
    requires, backend = BACKENDS[client]
    text = PUBLISHING_PROJECT.format(requires=requires, backend=backend)
    workstation.write("pyproject.toml", text)
    workstation.write("cloudrepo_portal_demo.py", '"""A module."""\n')
    shutil.rmtree(workstation.project / "dist")


@pytest.mark.parametrize(
    ("client", "file", "publish"),
    [
        ("poetry", None, "Publish"),
        ("pdm", None, "Publish"),
        ("hatch", None, "Publish"),
        ("hatch", ("hatch", "Configure every upload"), "Publish, with the file above"),
        ("flit", None, "Publish, with environment variables"),
        ("flit", ("pypirc", "For twine, flit and setuptools"), "Publish, with the .pypirc above"),
    ],
)
def test_a_client_publishes(
    index: Index,
    settings: ConnectionSettings,
    workstation: Workstation,
    installed: Installed,
    client: str,
    file: tuple[str, str] | None,
    publish: str,
) -> None:
    write_project(workstation, client)
    if file is not None:
        save(workstation, settings.snippet(*file))
    workstation.run(settings.snippet(client, publish).text, path=installed(client))
    assert_published(index)


def test_pdm_publishes_with_its_configuration_file(
    index: Index, settings: ConnectionSettings, workstation: Workstation, installed: Installed
) -> None:
    workstation.write("pyproject.toml", CONSUMING_PROJECT)
    save(workstation, settings.snippet("pdm", "Configure every install and upload"))
    workstation.run(
        settings.snippet("pdm", "Publish, with the file above").text, path=installed("pdm")
    )
    assert_published(index)


def test_poetry_installs(
    index: Index, settings: ConnectionSettings, workstation: Workstation, installed: Installed
) -> None:
    index.add(WHEEL)
    workstation.make_venv()
    workstation.write("pyproject.toml", CONSUMING_PROJECT + "[tool.poetry]\npackage-mode = false\n")
    save(workstation, settings.snippet("poetry", "Configure one project"))
    workstation.run(settings.snippet("poetry", "Install").text, path=installed("poetry"))
    assert_installed(index, workstation)


@pytest.mark.parametrize("how", ["file", "variables"])
def test_pdm_installs(
    index: Index,
    settings: ConnectionSettings,
    workstation: Workstation,
    installed: Installed,
    how: str,
) -> None:
    index.add(WHEEL)
    workstation.make_venv()
    workstation.write("pyproject.toml", CONSUMING_PROJECT + "[tool.pdm]\ndistribution = false\n")
    if how == "file":
        save(workstation, settings.snippet("pdm", "Configure every install and upload"))
        workstation.run("pdm add PACKAGE", path=installed("pdm"))
    else:
        workstation.run(settings.snippet("pdm", "Install").text, path=installed("pdm"))
    assert_installed(index, workstation)


@pytest.mark.parametrize("client", ["tox", "hatch"])
def test_tox_and_hatch_install_into_their_environments(
    index: Index,
    settings: ConnectionSettings,
    workstation: Workstation,
    installed: Installed,
    client: str,
) -> None:
    index.add(WHEEL)
    workstation.write("tox.ini", TOX_INI)
    workstation.write("pyproject.toml", CONSUMING_PROJECT + HATCH_ENVIRONMENT)
    title = "Install into environments"
    workstation.run(settings.snippet(client, title).text, path=installed(client))
    downloads = [each for each in index.journal() if each["filename"] == WHEEL.filename]
    assert {(each["user"], each["status"]) for each in downloads} == {(index.username, 200)}


TOX_INI = """\
[tox]
env_list = py
[testenv]
skip_install = true
deps = cloudrepo-portal-demo
commands = python -c 'import cloudrepo_portal_demo'
"""

HATCH_ENVIRONMENT = """\
[tool.hatch.envs.default]
skip-install = true
dependencies = ["cloudrepo-portal-demo"]
"""
