"""The ways in which uploaders are told credentials, and what they make of rare characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.support import catalogue, ways
from tests.clients.support.logins import EACH, HARD, PLAIN
from tests.clients.support.sections import UPLOADING_CREDENTIALS
from tests.clients.support.uploaders import FLIT, HATCH, PDM, POETRY, TWINE, TWINE_6_1, TWINES, UV
from tests.clients.support.uploads import SUCCESS, answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.repository import Repository
    from tests.clients.support.client import Client, Installed
    from tests.clients.support.logins import Login
    from tests.clients.support.uploads import Uploads

pytestmark = pytest.mark.clients

USER_FLAGS = ways.flags("--username", "--password")
WORK = [
    *((twine, "environment", ways.environment) for twine in TWINES),
    *((twine, "flags", USER_FLAGS) for twine in TWINES),
    *((twine, "`.pypirc`", ways.pypirc("--repository", "cloudrepo")) for twine in TWINES),
    (TWINE_6_1, "keyring", ways.keyring(user="--username")),
    (TWINE, "keyring", ways.keyring(user="--username")),
    (UV, "environment", ways.environment),
    (UV, "flags", USER_FLAGS),
    (UV, "netrc", ways.netrc),
    (UV, "keyring", ways.keyring("--keyring-provider", "subprocess", user="--username")),
    (POETRY, "environment", ways.environment),
    (POETRY, "flags", USER_FLAGS),
    (POETRY, "`auth.toml`", ways.config_beside("POETRY_CONFIG_DIR")),
    (POETRY, "keyring", ways.keyring(user="--username", POETRY_KEYRING_ENABLED="true")),
    (POETRY, "URL", ways.poetry_url),
    (PDM, "environment", ways.environment),
    (PDM, "flags", USER_FLAGS),
    (PDM, "`config.toml`", ways.config("PDM_CONFIG_FILE", "--repository", "cloudrepo")),
    (PDM, "keyring", ways.pdm_keyring),
    (HATCH, "environment", ways.environment),
    (HATCH, "flags", ways.flags("--user", "--auth")),
    (HATCH, "`config.toml`", ways.config("HATCH_CONFIG")),
    (HATCH, "keyring", ways.keyring(user="--user")),
    (FLIT, "environment", ways.environment),
    (FLIT, "`.pypirc`", ways.pypirc("--repository", "cloudrepo")),
    (FLIT, "keyring", ways.keyring(user="FLIT_USERNAME")),
]
# These send what stands in a publish URL as it stands there: not even an e-mail address arrives.
UNDECODED = [
    (TWINE, ways.url("--repository-url")),
    (UV, ways.url("--publish-url")),
    (PDM, ways.url("--repository")),
]


@pytest.fixture
def attempt(
    uploads: Uploads,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    installed: Callable[[Client], Installed],
    tmp_path: Path,
) -> Callable[[Login, ways.Way], CommandResult]:
    """Uploads demo 1.0 as a user of this login, told in this way."""

    def run(login: Login, way: ways.Way) -> CommandResult:
        repository = cloudrepo.as_user(login.user(cloudrepo_server))
        folder = tmp_path / repository.username.encode().hex()
        folder.mkdir()
        told = way(
            ways.Ask(repository, uploads.uploader.tool, folder, installed(catalogue.KEYRING))
        )
        result, _ = uploads.run(repository, *told.words, environ=told.environ)
        return result

    return run


@pytest.mark.parametrize(
    ("uploader", "name", "way"), WORK, ids=[f"{one[0]}-{one[1]}" for one in WORK]
)
def test_every_character_arrives(
    uploads: Uploads,
    attempt: Callable[[Login, ways.Way], CommandResult],
    cloudrepo: Repository,
    name: str,
    way: ways.Way,
) -> None:
    result = attempt(HARD, way)
    assert result.ok, result.output
    assert answers(cloudrepo) == [200, 200]
    uploads.note(UPLOADING_CREDENTIALS, name, result, "all arrives", shows=SUCCESS)


@pytest.mark.parametrize(("uploader", "way"), UNDECODED, ids=[str(one[0]) for one in UNDECODED])
def test_a_publish_url_is_not_decoded(
    uploads: Uploads,
    attempt: Callable[[Login, ways.Way], CommandResult],
    cloudrepo: Repository,
    way: ways.Way,
) -> None:
    result = attempt(PLAIN, way)
    assert result.returncode == uploads.uploader.refused, result.output
    assert set(answers(cloudrepo)) == {401}
    assert all("percent-encoded" in one.reason for one in cloudrepo.requests.uploads())
    then = "cannot: not even the `@` of an e-mail address is decoded"
    uploads.note(UPLOADING_CREDENTIALS, "URL", result, then, shows="percent-encoded")


@pytest.mark.parametrize("uploader", [HATCH], ids=str)
def test_hatch_takes_percent_signs_in_a_pypirc_for_its_own(
    uploads: Uploads, attempt: Callable[[Login, ways.Way], CommandResult]
) -> None:
    way = ways.pypirc()
    results = {login.name: attempt(login, way) for login in EACH}
    assert [name for name, result in results.items() if not result.ok] == ["`%`"]
    uploads.note(
        UPLOADING_CREDENTIALS,
        "`.pypirc`",
        results["`%`"],
        "all arrives but `%`",
        shows="InterpolationSyntaxError",
    )
