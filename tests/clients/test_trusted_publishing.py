"""Trusted publishing with real clients, under their own default URLs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests

from tests.support.attestations import GITHUB, attestation, statement
from tests.support.clients.publishing_action import PublishingAction, find_action, why_skipped
from tests.support.clients.sections import TRUSTED_PUBLISHING
from tests.support.clients.upload_runner import FILENAMES, SUCCESS, served_files, upload_statuses
from tests.support.clients.uploaders import PDM, TWINE, TWINE_6_1, UV

if TYPE_CHECKING:
    from pytest_cloudrepo.factories import RepositoryFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.upload_runner import UploadRunner

JOB: Final[dict[str, Any]] = {"repository": "acme/demo", "workflow": "release.yml"}
UV_TRUSTED: Final = replace(UV, arguments=("publish", "--trusted-publishing", "always"))
TWINE_ATTESTING: Final = replace(TWINE, arguments=("upload", "--attestations"))
SKIPPED: Final = why_skipped()
ACTION: Final = pytest.param(
    None if SKIPPED else find_action(),
    id="pypi-publish",
    marks=pytest.mark.skipif(SKIPPED is not None, reason=str(SKIPPED)),
)
every_client = pytest.mark.parametrize(
    "uploader", [TWINE_6_1, TWINE, UV_TRUSTED, PDM, ACTION], ids=str
)
PROVIDERS: Final = ("activestate", "buildkite", "circleci", "github", "gitlab", "google")
# pdm says no more than this, whatever the reason is.
PDM_FAILED: Final = "Failed to get PyPI token via OIDC"


@every_client
def test_a_job_publishes_to_the_default_url(uploads: UploadRunner, cloudrepo: Repository) -> None:
    cloudrepo.trust("github", project="demo", **JOB)
    result, files = uploads.run(cloudrepo, environ=cloudrepo.ci_environ("github", **JOB))
    assert result.ok, result.output
    # The publishing action would warn about a token without PyPI's prefix.
    assert "::warning" not in result.output
    assert served_files(cloudrepo) == files
    assert tuple(files) == FILENAMES
    assert upload_statuses(cloudrepo) == [200, 200]
    uploads.record(TRUSTED_PUBLISHING, "in a job that is trusted", result, "stored", shows=SUCCESS)


@every_client
@pytest.mark.parametrize(
    ("what", "claims", "code"),
    [
        ("of an unknown issuer", {"iss": "https://issuer.example"}, "invalid-payload"),
        ("expired", {"exp": 1}, "invalid-token"),
        ("not yet valid", {"nbf": 4_000_000_000}, "invalid-token"),
        ("of another workflow", {"workflow": "other.yml"}, "invalid-publisher"),
    ],
)
def test_a_client_shows_why_its_identity_was_rejected(
    uploads: UploadRunner, cloudrepo: Repository, what: str, claims: dict[str, Any], code: str
) -> None:
    cloudrepo.trust("github", project="demo", **JOB)
    environ = cloudrepo.ci_environ("github", **{**JOB, **claims})
    result, _ = uploads.run(cloudrepo, environ=environ)
    assert not result.ok
    assert served_files(cloudrepo) == {}
    rejected = [request for request in cloudrepo.requests if request.refused]
    assert [(each.path, each.status) for each in rejected] == [("/_/oidc/mint-token", 422)]
    assert rejected[0].reason.startswith(f"{code}: ")
    shows = PDM_FAILED if uploads.uploader == PDM else code
    assert shows in result.output
    action = f"`{code}`: {what}"
    uploads.record(TRUSTED_PUBLISHING, action, result, "rejected", shows=shows)


@every_client
def test_a_client_shows_that_its_identity_is_for_another_audience(
    uploads: UploadRunner, cloudrepo: Repository
) -> None:
    cloudrepo.trust("github", project="demo", **JOB)
    environ = cloudrepo.ci_environ("github", aud="another", **JOB)
    result, _ = uploads.run(cloudrepo, environ=environ)
    assert not result.ok
    assert served_files(cloudrepo) == {}
    # Some clients compare the audience before they send the identity token.
    shows = r"invalid-token|audience claim mismatch"
    action = "`invalid-token`: for another audience"
    uploads.record(TRUSTED_PUBLISHING, action, result, "rejected", shows=shows)


@every_client
def test_a_client_shows_that_its_provider_is_disabled(
    uploads: UploadRunner, cloudrepo_factory: RepositoryFactory
) -> None:
    repository = cloudrepo_factory(disabled_identity_providers=["github"])
    repository.trust("github", **JOB)
    result, _ = uploads.run(repository, environ=repository.ci_environ("github", **JOB))
    assert not result.ok
    shows = PDM_FAILED if uploads.uploader == PDM else "not-enabled"
    assert shows in result.output
    uploads.record(TRUSTED_PUBLISHING, "`not-enabled`", result, "rejected", shows=shows)


@every_client
def test_a_client_shows_that_its_project_was_created_meanwhile(
    uploads: UploadRunner, cloudrepo: Repository
) -> None:
    cloudrepo.trust("github", project="demo", **JOB)
    uploads.publish(cloudrepo)
    result, _ = uploads.run(cloudrepo, environ=cloudrepo.ci_environ("github", **JOB))
    assert not result.ok
    shows = PDM_FAILED if uploads.uploader == PDM else "invalid-pending-publisher"
    assert shows in result.output
    uploads.record(
        TRUSTED_PUBLISHING, "`invalid-pending-publisher`", result, "rejected", shows=shows
    )


@every_client
def test_a_client_shows_that_its_identity_was_used_before(
    uploads: UploadRunner, cloudrepo: Repository
) -> None:
    cloudrepo.trust("github", **JOB)
    environ = cloudrepo.ci_environ("github", jti="always-the-same", **JOB)
    first, _ = uploads.run(cloudrepo, environ=environ)
    assert first.ok, first.output
    result, _ = uploads.run(cloudrepo, environ=environ)
    assert not result.ok
    shows = PDM_FAILED if uploads.uploader == PDM else "invalid-reuse-token"
    assert shows in result.output
    uploads.record(TRUSTED_PUBLISHING, "`invalid-reuse-token`", result, "rejected", shows=shows)


@every_client
def test_a_client_shows_that_its_token_is_for_another_project(
    uploads: UploadRunner, cloudrepo: Repository
) -> None:
    cloudrepo.trust("github", project="other", **JOB)
    result, _ = uploads.run(cloudrepo, environ=cloudrepo.ci_environ("github", **JOB))
    assert not result.ok
    assert served_files(cloudrepo) == {}
    assert set(upload_statuses(cloudrepo)) == {403}
    shows = "OIDC scoped token is not valid"
    assert shows in result.output
    uploads.record(
        TRUSTED_PUBLISHING, "a project of another publisher", result, "rejected", shows=shows
    )


@pytest.mark.parametrize("uploader", [TWINE_ATTESTING, UV_TRUSTED], ids=str)
@pytest.mark.cloudrepo(rules="pypi")
def test_a_job_publishes_attestations(uploads: UploadRunner, cloudrepo: Repository) -> None:
    cloudrepo.trust("github", project="demo", **JOB)
    environ = cloudrepo.ci_environ("github", **JOB)
    result, _ = uploads.run(
        cloudrepo, environ=environ, attest=lambda file: json.dumps(attestation(statement(file)))
    )
    assert result.ok, result.output
    for name in FILENAMES:
        response = requests.get(
            f"{cloudrepo.url}/demo/{name}.provenance",
            auth=(cloudrepo.username, cloudrepo.password),
            timeout=10,
        )
        bundle = response.json()["attestation_bundles"][0]
        assert bundle["publisher"]["workflow"] == "release.yml"
    uploads.record(TRUSTED_PUBLISHING, "with attestations", result, "stored", shows=SUCCESS)


@pytest.mark.parametrize("uploader", [TWINE_ATTESTING, UV_TRUSTED], ids=str)
@pytest.mark.cloudrepo(rules="pypi")
def test_a_client_shows_that_its_attestations_are_of_another_job(
    uploads: UploadRunner, cloudrepo: Repository
) -> None:
    cloudrepo.trust("github", project="demo", **JOB)
    environ = cloudrepo.ci_environ("github", **JOB)
    other = {**GITHUB, "source": "https://github.com/acme/other"}
    result, _ = uploads.run(
        cloudrepo,
        environ=environ,
        attest=lambda file: json.dumps(attestation(statement(file), other)),
    )
    assert not result.ok
    assert cloudrepo.versions("demo") == []
    shows = "Invalid attestations supplied during upload"
    uploads.record(
        TRUSTED_PUBLISHING, "attestations of another job", result, "rejected", shows=shows
    )


@every_client
def test_a_client_shows_that_its_upload_token_has_expired(
    uploads: UploadRunner, cloudrepo_factory: RepositoryFactory
) -> None:
    repository = cloudrepo_factory(minted_token_seconds=0)
    repository.trust("github", **JOB)
    result, _ = uploads.run(repository, environ=repository.ci_environ("github", **JOB))
    assert not result.ok
    assert set(upload_statuses(repository)) == {401}
    shows = "has expired"
    assert shows in result.output
    uploads.record(TRUSTED_PUBLISHING, "an expired upload token", result, "rejected", shows=shows)


@every_client
def test_a_client_shows_that_trusted_publishing_is_disabled(
    uploads: UploadRunner, cloudrepo_factory: RepositoryFactory
) -> None:
    repository = cloudrepo_factory(disabled_identity_providers=PROVIDERS)
    result, _ = uploads.run(repository, environ=repository.ci_environ("github", **JOB))
    assert not result.ok
    assert [request.status for request in repository.requests] == [403]
    shows = "not enabled"
    if uploads.uploader == PDM:
        shows = PDM_FAILED
    elif isinstance(uploads.uploader, PublishingAction):
        shows = "has trusted publishing disabled"
    uploads.record(TRUSTED_PUBLISHING, "no provider is enabled", result, "rejected", shows=shows)
