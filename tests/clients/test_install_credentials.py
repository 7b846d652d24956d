"""Credentials with special characters, passed to real installers by every login method."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from cloudrepo_server.clients import pyproject_table
from tests.support.clients import catalogue, login_methods
from tests.support.clients.installer import Installer
from tests.support.clients.logins import (
    ALL_SPECIAL_CHARACTERS,
    NO_SLASH_IN_USER_NAME,
    NO_SPECIAL_CHARACTERS,
    ONE_SPECIAL_CHARACTER,
)
from tests.support.clients.releases import GRAPH
from tests.support.clients.sections import INSTALL_CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client, InstalledClient
    from tests.support.clients.logins import Login
    from tests.support.clients.table import RecordRow

SUCCESS = "(?i)base|lock"
NETRC_WITH_QUOTES = Version("3.11")
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
WORKING = [
    *(
        (pip, "URL in an environment variable", login_methods.environment)
        for pip in (PIP_10, PIP_18)
    ),
    (
        PIP,
        "keyring",
        login_methods.keyring_with_user_in_url("PIP_INDEX_URL", PIP_KEYRING_PROVIDER="subprocess"),
    ),
    (UV, "URL in an environment variable", login_methods.environment),
    (UV, "URL option", login_methods.url_option("--default-index")),
    (UV, "`UV_INDEX_*`", login_methods.uv_named_index),
    (UV, "`uv.toml`", login_methods.config_file("UV_CONFIG_FILE")),
    (UV, "netrc", login_methods.netrc),
    (
        UV,
        "keyring",
        login_methods.keyring_with_user_in_url(
            "UV_DEFAULT_INDEX", UV_KEYRING_PROVIDER="subprocess"
        ),
    ),
    (POETRY, "environment variables", login_methods.environment),
    (POETRY, "`auth.toml`", login_methods.config_folder("POETRY_CONFIG_DIR")),
    (
        POETRY,
        "keyring",
        login_methods.keyring(
            user="POETRY_HTTP_BASIC_CLOUDREPO_USERNAME", POETRY_KEYRING_ENABLED="true"
        ),
    ),
    (PDM, "URL in an environment variable", login_methods.environment),
    (PDM, "`config.toml`", login_methods.config_file("PDM_CONFIG_FILE")),
    (PDM, "keyring", login_methods.keyring_with_user_in_url("PDM_PYPI_URL")),
]
# To decide whether a URL is trusted, pip re-encodes the user name but leaves each slash as it is.
# pip then takes the text before the slash for the host.
NO_SLASH = [
    *((pip, "URL in an environment variable", login_methods.environment) for pip in LATER_PIPS),
    (PIP, "URL option", login_methods.url_option("--index-url")),
    (PIP, "`pip.conf`", login_methods.config_file("PIP_CONFIG_FILE")),
]


def ids(cases: Sequence[tuple[Client, str, login_methods.LoginMethod]]) -> list[str]:
    """Return the ids of the test cases."""
    return [f"{client}-{label}" for client, label, _ in cases]


class Reading:
    """An installer that reads `base` 1.0 as one user after another."""

    def __init__(
        self,
        server: Server,
        repository: Repository,
        installed: InstalledClient,
        keyring: InstalledClient,
        folder: Path,
        record_row: RecordRow,
    ) -> None:
        self.repository = repository
        self.installed = installed
        self._server = server
        self._keyring = keyring
        self._folder = folder
        self._record_row = record_row

    def install_as(self, login: Login, method: login_methods.LoginMethod) -> CommandResult:
        """Read `base` as a new user with this login, by this login method."""
        repository = self.repository.as_user(login.create_user(self._server))
        folder = self._folder / repository.username.encode().hex()
        folder.mkdir()
        installer = Installer(self.installed, repository, folder, self._record_row)
        settings = method(
            login_methods.LoginTarget(repository, self.installed.name, folder, self._keyring)
        )
        before = len(repository.requests)
        result = installer.run(
            *read_command(installer),
            *settings.arguments,
            environ=settings.environ,
            complete=True,
            check=False,
        )
        accepted = [request for request in repository.requests[before:] if request.status == 200]
        users = {request.user for request in accepted}
        assert users == ({repository.username} if result.ok else set())
        return result

    def record(self, action: str, result: CommandResult, outcome: str, *, shows: str) -> None:
        """Add a row to the table, as `RecordRow` describes."""
        self._record_row(INSTALL_CREDENTIALS, self.installed, action, result, outcome, shows=shows)


@pytest.fixture
def reading(
    client: Client,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    install_client: Callable[[Client], InstalledClient],
    tmp_path: Path,
    record_row: RecordRow,
) -> Reading:
    """The client that the test's parameter `client` names."""
    cloudrepo.publish_all(GRAPH)
    return Reading(
        cloudrepo_server,
        cloudrepo,
        install_client(client),
        install_client(catalogue.KEYRING),
        tmp_path,
        record_row,
    )


def read_command(installer: Installer) -> Sequence[str | Path]:
    """Return a command that makes the installer read the index."""
    client = installer.installed
    if client.name == "pip":
        target = installer.folder / "downloaded"
        return client.python, "-m", "pip", "download", "--no-deps", "--dest", target, "base==1.0"
    if client.name == "uv":
        target = installer.folder / "target"
        options = ("--python", sys.executable, "--target", target)
        return "uv", "pip", "install", *options, "base==1.0"
    source = (
        pyproject_table("poetry", installer.repository.connection)
        if client.name == "poetry"
        else ""
    )
    installer.write("pyproject.toml", PROJECT + source)
    return client.name, "lock"


@pytest.mark.parametrize(("client", "label", "method"), WORKING, ids=ids(WORKING))
def test_every_special_character_arrives(
    reading: Reading, label: str, method: login_methods.LoginMethod
) -> None:
    result = reading.install_as(ALL_SPECIAL_CHARACTERS, method)
    assert result.ok, result.output
    reading.record(label, result, "login succeeds", shows=SUCCESS)


@pytest.mark.parametrize(("client", "label", "method"), NO_SLASH, ids=ids(NO_SLASH))
def test_pip_sends_no_request_if_the_user_name_contains_a_slash(
    reading: Reading, label: str, method: login_methods.LoginMethod
) -> None:
    result = reading.install_as(NO_SLASH_IN_USER_NAME, method)
    assert result.ok, result.output
    reading.repository.requests.clear()
    failed = reading.install_as(ALL_SPECIAL_CHARACTERS, method)
    assert not failed.ok
    assert not reading.repository.requests
    reading.record(label, result, "login succeeds except with `/` in the user name", shows=SUCCESS)
    shows = "not a trusted or secure host"
    reading.record(f"{label}, `/` in the user name", failed, "no request", shows=shows)


@pytest.mark.parametrize("client", [PIP, POETRY, PDM], ids=str)
def test_a_netrc_supports_the_characters_that_the_python_of_the_client_supports(
    reading: Reading,
) -> None:
    results = {
        login.label: reading.install_as(login, login_methods.netrc)
        for login in (NO_SPECIAL_CHARACTERS, *ONE_SPECIAL_CHARACTER)
    }
    failed = [label for label, result in results.items() if not result.ok]
    if Version(reading.installed.python_version) < NETRC_WITH_QUOTES:
        assert failed == ["`é`", "a space"]
        outcome = "login succeeds except with `é` or a space, which need Python 3.11"
    else:
        assert failed == []
        outcome = "login succeeds"
    reading.record("netrc", results[NO_SPECIAL_CHARACTERS.label], outcome, shows=SUCCESS)


@pytest.mark.parametrize("client", [PIP_9], ids=str)
def test_pip_9_does_not_decode_credentials_in_a_url(reading: Reading) -> None:
    result = reading.install_as(NO_SPECIAL_CHARACTERS, login_methods.environment)
    assert not result.ok
    assert [request.status for request in reading.repository.requests] == [401]
    assert "percent-encoded" in reading.repository.requests[0].reason
    outcome = "login fails: nothing is decoded, not even the `@` of the user name"
    reading.record("URL in an environment variable", result, outcome, shows="Could not find")
