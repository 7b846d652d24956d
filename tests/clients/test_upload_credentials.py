"""Credentials with special characters, passed to real upload clients by every login method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clients import catalogue, login_methods
from tests.support.clients.logins import (
    ALL_SPECIAL_CHARACTERS,
    NO_SPECIAL_CHARACTERS,
    ONE_SPECIAL_CHARACTER,
)
from tests.support.clients.sections import UPLOAD_CREDENTIALS
from tests.support.clients.upload_runner import SUCCESS, upload_statuses
from tests.support.clients.uploaders import FLIT, HATCH, PDM, POETRY, TWINE, TWINE_6_1, TWINES, UV

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client, InstalledClient
    from tests.support.clients.logins import Login
    from tests.support.clients.upload_runner import UploadRunner

USER_OPTIONS = login_methods.options("--username", "--password")
WORKING = [
    *((twine, "environment variables", login_methods.environment) for twine in TWINES),
    *((twine, "options", USER_OPTIONS) for twine in TWINES),
    *((twine, "`.pypirc`", login_methods.pypirc("--repository", "cloudrepo")) for twine in TWINES),
    (TWINE_6_1, "keyring", login_methods.keyring(user="--username")),
    (TWINE, "keyring", login_methods.keyring(user="--username")),
    (UV, "environment variables", login_methods.environment),
    (UV, "options", USER_OPTIONS),
    (UV, "netrc", login_methods.netrc),
    (UV, "keyring", login_methods.keyring("--keyring-provider", "subprocess", user="--username")),
    (POETRY, "environment variables", login_methods.environment),
    (POETRY, "options", USER_OPTIONS),
    (POETRY, "`auth.toml`", login_methods.config_folder("POETRY_CONFIG_DIR")),
    (POETRY, "keyring", login_methods.keyring(user="--username", POETRY_KEYRING_ENABLED="true")),
    (POETRY, "URL", login_methods.poetry_url),
    (PDM, "environment variables", login_methods.environment),
    (PDM, "options", USER_OPTIONS),
    (
        PDM,
        "`config.toml`",
        login_methods.config_file("PDM_CONFIG_FILE", "--repository", "cloudrepo"),
    ),
    (PDM, "keyring", login_methods.pdm_keyring),
    (HATCH, "environment variables", login_methods.environment),
    (HATCH, "options", login_methods.options("--user", "--auth")),
    (HATCH, "`config.toml`", login_methods.config_file("HATCH_CONFIG")),
    (HATCH, "keyring", login_methods.keyring(user="--user")),
    (FLIT, "environment variables", login_methods.environment),
    (FLIT, "`.pypirc`", login_methods.pypirc("--repository", "cloudrepo")),
    (FLIT, "keyring", login_methods.keyring(user="FLIT_USERNAME")),
]
# These clients do not decode credentials in a publish URL, not even the `@` of an e-mail address.
NOT_DECODING = [
    (TWINE, login_methods.url_option("--repository-url")),
    (UV, login_methods.url_option("--publish-url")),
    (PDM, login_methods.url_option("--repository")),
]


@pytest.fixture
def upload_as(
    uploads: UploadRunner,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    install_client: Callable[[Client], InstalledClient],
    tmp_path: Path,
) -> Callable[[Login, login_methods.LoginMethod], CommandResult]:
    """A function that uploads demo 1.0 as a new user with this login, by this login method."""

    def upload(login: Login, method: login_methods.LoginMethod) -> CommandResult:
        repository = cloudrepo.as_user(login.create_user(cloudrepo_server))
        folder = tmp_path / repository.username.encode().hex()
        folder.mkdir()
        settings = method(
            login_methods.LoginTarget(
                repository, uploads.uploader.tool, folder, install_client(catalogue.KEYRING)
            )
        )
        result, _ = uploads.run(repository, *settings.arguments, environ=settings.environ)
        return result

    return upload


@pytest.mark.parametrize(
    ("uploader", "label", "method"),
    WORKING,
    ids=[f"{uploader}-{label}" for uploader, label, _ in WORKING],
)
def test_every_special_character_arrives(
    uploads: UploadRunner,
    upload_as: Callable[[Login, login_methods.LoginMethod], CommandResult],
    cloudrepo: Repository,
    label: str,
    method: login_methods.LoginMethod,
) -> None:
    result = upload_as(ALL_SPECIAL_CHARACTERS, method)
    assert result.ok, result.output
    assert upload_statuses(cloudrepo) == [200, 200]
    uploads.record(UPLOAD_CREDENTIALS, label, result, "login succeeds", shows=SUCCESS)


@pytest.mark.parametrize(
    ("uploader", "method"), NOT_DECODING, ids=[str(each[0]) for each in NOT_DECODING]
)
def test_credentials_in_a_publish_url_are_not_decoded(
    uploads: UploadRunner,
    upload_as: Callable[[Login, login_methods.LoginMethod], CommandResult],
    cloudrepo: Repository,
    method: login_methods.LoginMethod,
) -> None:
    result = upload_as(NO_SPECIAL_CHARACTERS, method)
    assert result.returncode == uploads.uploader.rejected_status, result.output
    assert set(upload_statuses(cloudrepo)) == {401}
    assert all("percent-encoded" in request.reason for request in cloudrepo.requests.uploads())
    outcome = "login fails: nothing is decoded, not even the `@` of the user name"
    uploads.record(UPLOAD_CREDENTIALS, "URL", result, outcome, shows="percent-encoded")


@pytest.mark.parametrize("uploader", [HATCH], ids=str)
def test_hatch_interpolates_percent_signs_in_a_pypirc(
    uploads: UploadRunner, upload_as: Callable[[Login, login_methods.LoginMethod], CommandResult]
) -> None:
    method = login_methods.pypirc()
    results = {login.label: upload_as(login, method) for login in ONE_SPECIAL_CHARACTER}
    assert [label for label, result in results.items() if not result.ok] == ["`%`"]
    uploads.record(
        UPLOAD_CREDENTIALS,
        "`.pypirc`",
        results["`%`"],
        "login succeeds except with `%`",
        shows="InterpolationSyntaxError",
    )
