"""The ways in which uploaders are told credentials, and what they make of rare characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clients import catalogue, login_methods
from tests.support.clients.logins import EACH, HARD, PLAIN
from tests.support.clients.sections import UPLOADING_CREDENTIALS
from tests.support.clients.uploaders import FLIT, HATCH, PDM, POETRY, TWINE, TWINE_6_1, TWINES, UV
from tests.support.clients.uploads import SUCCESS, answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client, Installed
    from tests.support.clients.logins import Login
    from tests.support.clients.uploads import Uploads

USER_FLAGS = login_methods.flags("--username", "--password")
WORK = [
    *((twine, "environment", login_methods.environment) for twine in TWINES),
    *((twine, "flags", USER_FLAGS) for twine in TWINES),
    *((twine, "`.pypirc`", login_methods.pypirc("--repository", "cloudrepo")) for twine in TWINES),
    (TWINE_6_1, "keyring", login_methods.keyring(user="--username")),
    (TWINE, "keyring", login_methods.keyring(user="--username")),
    (UV, "environment", login_methods.environment),
    (UV, "flags", USER_FLAGS),
    (UV, "netrc", login_methods.netrc),
    (UV, "keyring", login_methods.keyring("--keyring-provider", "subprocess", user="--username")),
    (POETRY, "environment", login_methods.environment),
    (POETRY, "flags", USER_FLAGS),
    (POETRY, "`auth.toml`", login_methods.config_beside("POETRY_CONFIG_DIR")),
    (POETRY, "keyring", login_methods.keyring(user="--username", POETRY_KEYRING_ENABLED="true")),
    (POETRY, "URL", login_methods.poetry_url),
    (PDM, "environment", login_methods.environment),
    (PDM, "flags", USER_FLAGS),
    (PDM, "`config.toml`", login_methods.config("PDM_CONFIG_FILE", "--repository", "cloudrepo")),
    (PDM, "keyring", login_methods.pdm_keyring),
    (HATCH, "environment", login_methods.environment),
    (HATCH, "flags", login_methods.flags("--user", "--auth")),
    (HATCH, "`config.toml`", login_methods.config("HATCH_CONFIG")),
    (HATCH, "keyring", login_methods.keyring(user="--user")),
    (FLIT, "environment", login_methods.environment),
    (FLIT, "`.pypirc`", login_methods.pypirc("--repository", "cloudrepo")),
    (FLIT, "keyring", login_methods.keyring(user="FLIT_USERNAME")),
]
# These send what stands in a publish URL as it stands there: not even an e-mail address arrives.
UNDECODED = [
    (TWINE, login_methods.url("--repository-url")),
    (UV, login_methods.url("--publish-url")),
    (PDM, login_methods.url("--repository")),
]


@pytest.fixture
def attempt(
    uploads: Uploads,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    installed: Callable[[Client], Installed],
    tmp_path: Path,
) -> Callable[[Login, login_methods.Way], CommandResult]:
    """Uploads demo 1.0 as a user of this login, told in this way."""

    def run(login: Login, way: login_methods.Way) -> CommandResult:
        repository = cloudrepo.as_user(login.user(cloudrepo_server))
        folder = tmp_path / repository.username.encode().hex()
        folder.mkdir()
        told = way(
            login_methods.Ask(
                repository, uploads.uploader.tool, folder, installed(catalogue.KEYRING)
            )
        )
        result, _ = uploads.run(repository, *told.words, environ=told.environ)
        return result

    return run


@pytest.mark.parametrize(
    ("uploader", "name", "way"), WORK, ids=[f"{one[0]}-{one[1]}" for one in WORK]
)
def test_every_character_arrives(
    uploads: Uploads,
    attempt: Callable[[Login, login_methods.Way], CommandResult],
    cloudrepo: Repository,
    name: str,
    way: login_methods.Way,
) -> None:
    result = attempt(HARD, way)
    assert result.ok, result.output
    assert answers(cloudrepo) == [200, 200]
    uploads.note(UPLOADING_CREDENTIALS, name, result, "all arrives", shows=SUCCESS)


@pytest.mark.parametrize(("uploader", "way"), UNDECODED, ids=[str(one[0]) for one in UNDECODED])
def test_a_publish_url_is_not_decoded(
    uploads: Uploads,
    attempt: Callable[[Login, login_methods.Way], CommandResult],
    cloudrepo: Repository,
    way: login_methods.Way,
) -> None:
    result = attempt(PLAIN, way)
    assert result.returncode == uploads.uploader.refused, result.output
    assert set(answers(cloudrepo)) == {401}
    assert all("percent-encoded" in one.reason for one in cloudrepo.requests.uploads())
    then = "cannot: not even the `@` of an e-mail address is decoded"
    uploads.note(UPLOADING_CREDENTIALS, "URL", result, then, shows="percent-encoded")


@pytest.mark.parametrize("uploader", [HATCH], ids=str)
def test_hatch_takes_percent_signs_in_a_pypirc_for_its_own(
    uploads: Uploads, attempt: Callable[[Login, login_methods.Way], CommandResult]
) -> None:
    way = login_methods.pypirc()
    results = {login.name: attempt(login, way) for login in EACH}
    assert [name for name, result in results.items() if not result.ok] == ["`%`"]
    uploads.note(
        UPLOADING_CREDENTIALS,
        "`.pypirc`",
        results["`%`"],
        "all arrives but `%`",
        shows="InterpolationSyntaxError",
    )
