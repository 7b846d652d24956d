"""The ways in which installers are told credentials, and what they make of rare characters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from cloudrepo_server.clients import pyproject_table
from tests.support.clients import catalogue, login_methods
from tests.support.clients.installs import Installs
from tests.support.clients.logins import EACH, HARD, NO_SLASH_IN_NAME, PLAIN
from tests.support.clients.releases import GRAPH
from tests.support.clients.sections import READING_CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client, Installed
    from tests.support.clients.logins import Login
    from tests.support.clients.table import Note

SUCCESS = "(?i)base|lock"
QUOTES_IN_NETRC = Version("3.11")
PROJECT = """\
[project]
name = "project"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["base==1.0"]

"""
PIP = catalogue.PIPS[-1]
PIP_9, PIP_10, PIP_18, *LATER_PIPS = catalogue.PIPS
UV, POETRY, PDM = catalogue.UV, catalogue.POETRY, catalogue.PDM
WORK = [
    *((pip, "URL in the environment", login_methods.environment) for pip in (PIP_10, PIP_18)),
    (PIP, "keyring", login_methods.user_in_url("PIP_INDEX_URL", PIP_KEYRING_PROVIDER="subprocess")),
    (UV, "URL in the environment", login_methods.environment),
    (UV, "URL by flag", login_methods.url("--default-index")),
    (UV, "`UV_INDEX_*`", login_methods.named_index),
    (UV, "`uv.toml`", login_methods.config("UV_CONFIG_FILE")),
    (UV, "netrc", login_methods.netrc),
    (
        UV,
        "keyring",
        login_methods.user_in_url("UV_DEFAULT_INDEX", UV_KEYRING_PROVIDER="subprocess"),
    ),
    (POETRY, "environment", login_methods.environment),
    (POETRY, "`auth.toml`", login_methods.config_beside("POETRY_CONFIG_DIR")),
    (
        POETRY,
        "keyring",
        login_methods.keyring(
            user="POETRY_HTTP_BASIC_CLOUDREPO_USERNAME", POETRY_KEYRING_ENABLED="true"
        ),
    ),
    (PDM, "URL in the environment", login_methods.environment),
    (PDM, "`config.toml`", login_methods.config("PDM_CONFIG_FILE")),
    (PDM, "keyring", login_methods.user_in_url("PDM_PYPI_URL")),
]
# They tell whether an address is safe from one in which the user name is not encoded wholly.
NO_SLASH = [
    *((pip, "URL in the environment", login_methods.environment) for pip in LATER_PIPS),
    (PIP, "URL by flag", login_methods.url("--index-url")),
    (PIP, "`pip.conf`", login_methods.config("PIP_CONFIG_FILE")),
]


def named(work: Sequence[tuple[Client, str, login_methods.Way]]) -> list[str]:
    """What the tests are called."""
    return [f"{client}-{name}" for client, name, _ in work]


class Reading:
    """An installer that reads `base` 1.0 as one user after another."""

    def __init__(
        self,
        server: Server,
        repository: Repository,
        installed: Installed,
        keyring: Installed,
        folder: Path,
        note: Note,
    ) -> None:
        self.repository = repository
        self.installed = installed
        self._server = server
        self._keyring = keyring
        self._folder = folder
        self._note = note

    def attempt(self, login: Login, way: login_methods.Way) -> CommandResult:
        """Read it as a user of this login, told in this way."""
        repository = self.repository.as_user(login.user(self._server))
        folder = self._folder / repository.username.encode().hex()
        folder.mkdir()
        installs = Installs(self.installed, repository, folder, self._note)
        told = way(login_methods.Ask(repository, self.installed.name, folder, self._keyring))
        before = len(repository.requests)
        result = installs.run(
            *words(installs), *told.words, environ=told.environ, whole=True, check=False
        )
        read = [one for one in repository.requests[before:] if one.status == 200]
        assert {one.user for one in read} == ({repository.username} if result.ok else set())
        return result

    def note(self, asked: str, result: CommandResult, then: str, *, shows: str) -> None:
        """Add a row to the table, as `Note` does."""
        self._note(READING_CREDENTIALS, self.installed, asked, result, then, shows=shows)


@pytest.fixture
def reading(
    client: Client,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    installed: Callable[[Client], Installed],
    tmp_path: Path,
    note: Note,
) -> Reading:
    """The test's client, put to work."""
    cloudrepo.publish_all(GRAPH)
    keyring = installed(catalogue.KEYRING)
    return Reading(cloudrepo_server, cloudrepo, installed(client), keyring, tmp_path, note)


def words(installs: Installs) -> Sequence[str | Path]:
    """What the installer is asked, so that it reads the index."""
    client = installs.installed
    if client.name == "pip":
        target = installs.folder / "downloaded"
        return client.python, "-m", "pip", "download", "--no-deps", "--dest", target, "base==1.0"
    if client.name == "uv":
        target = installs.folder / "target"
        chosen = ("--python", sys.executable, "--target", target)
        return "uv", "pip", "install", *chosen, "base==1.0"
    source = (
        pyproject_table("poetry", installs.repository.connection) if client.name == "poetry" else ""
    )
    installs.write("pyproject.toml", PROJECT + source)
    return client.name, "lock"


@pytest.mark.parametrize(("client", "name", "way"), WORK, ids=named(WORK))
def test_every_character_arrives(reading: Reading, name: str, way: login_methods.Way) -> None:
    result = reading.attempt(HARD, way)
    assert result.ok, result.output
    reading.note(name, result, "all arrives", shows=SUCCESS)


@pytest.mark.parametrize(("client", "name", "way"), NO_SLASH, ids=named(NO_SLASH))
def test_a_slash_in_the_name_keeps_pip_from_the_index(
    reading: Reading, name: str, way: login_methods.Way
) -> None:
    result = reading.attempt(NO_SLASH_IN_NAME, way)
    assert result.ok, result.output
    reading.repository.requests.clear()
    refused = reading.attempt(HARD, way)
    assert not refused.ok
    assert not reading.repository.requests
    reading.note(name, result, "all arrives but a `/` in the user name", shows=SUCCESS)
    shows = "not a trusted or secure host"
    reading.note(f"{name}, `/` in the user name", refused, "cannot: no request", shows=shows)


@pytest.mark.parametrize("client", [PIP, POETRY, PDM], ids=str)
def test_a_netrc_is_read_as_the_client_s_python_does(reading: Reading) -> None:
    results = {login.name: reading.attempt(login, login_methods.netrc) for login in (PLAIN, *EACH)}
    lost = [name for name, result in results.items() if not result.ok]
    if Version(reading.installed.python_version) < QUOTES_IN_NETRC:
        assert lost == ["`é`", "a blank"]
        then = "all arrives but `é` and a blank, which Python reads from 3.11 on"
    else:
        assert lost == []
        then = "all arrives"
    reading.note("netrc", results[PLAIN.name], then, shows=SUCCESS)


@pytest.mark.parametrize("client", [PIP_9], ids=str)
def test_pip_9_does_not_decode_a_url(reading: Reading) -> None:
    result = reading.attempt(PLAIN, login_methods.environment)
    assert not result.ok
    assert [one.status for one in reading.repository.requests] == [401]
    assert "percent-encoded" in reading.repository.requests[0].reason
    then = "cannot: not even the `@` of an e-mail address is decoded"
    reading.note("URL in the environment", result, then, shows="Could not find")
