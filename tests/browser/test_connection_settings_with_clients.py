"""Connection Settings with the clients that are no dependency of these tests."""

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
    PUBLISHING_PROJECT,
    USING_PROJECT,
    WHEEL,
    Settings,
    assert_installed,
    assert_published,
    put,
    save,
)
from tests.support.portal.person import Person

TOX = Client("tox", NEWEST, "3.11")
CLIENTS = {
    each.name: each
    for each in (catalogue.POETRY, catalogue.PDM, catalogue.HATCH, catalogue.FLIT, TOX)
}

Installed = Callable[[str], Path]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Gives the folder of a client that was installed into an environment of its own."""
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


def begin_project(person: Person, client: str) -> None:
    """A project that is built as the client's users build theirs."""
    requires, backend = BACKENDS[client]
    text = PUBLISHING_PROJECT.format(requires=requires, backend=backend)
    person.write("pyproject.toml", text)
    person.write("cloudrepo_portal_demo.py", '"""A module."""\n')
    shutil.rmtree(person.project / "dist")


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
    settings: Settings,
    person: Person,
    installed: Installed,
    client: str,
    file: tuple[str, str] | None,
    publish: str,
) -> None:
    begin_project(person, client)
    if file is not None:
        save(person, settings.of(*file))
    person.type(settings.of(client, publish).text, path=installed(client))
    assert_published(index)


def test_pdm_publishes_by_its_file(
    index: Index, settings: Settings, person: Person, installed: Installed
) -> None:
    person.write("pyproject.toml", USING_PROJECT)
    save(person, settings.of("pdm", "Configure every install and upload"))
    person.type(settings.of("pdm", "Publish, with the file above").text, path=installed("pdm"))
    assert_published(index)


def test_poetry_installs(
    index: Index, settings: Settings, person: Person, installed: Installed
) -> None:
    put(index, WHEEL)
    person.make_venv()
    person.write("pyproject.toml", USING_PROJECT + "[tool.poetry]\npackage-mode = false\n")
    save(person, settings.of("poetry", "Configure one project"))
    person.type(settings.of("poetry", "Install").text, path=installed("poetry"))
    assert_installed(index, person)


@pytest.mark.parametrize("how", ["file", "variables"])
def test_pdm_installs(
    index: Index, settings: Settings, person: Person, installed: Installed, how: str
) -> None:
    put(index, WHEEL)
    person.make_venv()
    person.write("pyproject.toml", USING_PROJECT + "[tool.pdm]\ndistribution = false\n")
    if how == "file":
        save(person, settings.of("pdm", "Configure every install and upload"))
        person.type("pdm add PACKAGE", path=installed("pdm"))
    else:
        person.type(settings.of("pdm", "Install").text, path=installed("pdm"))
    assert_installed(index, person)


@pytest.mark.parametrize("client", ["tox", "hatch"])
def test_environments_are_filled(
    index: Index, settings: Settings, person: Person, installed: Installed, client: str
) -> None:
    put(index, WHEEL)
    person.write("tox.ini", TOX_INI)
    person.write("pyproject.toml", USING_PROJECT + HATCH_ENVIRONMENT)
    title = "Install into environments"
    person.type(settings.of(client, title).text, path=installed(client))
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
