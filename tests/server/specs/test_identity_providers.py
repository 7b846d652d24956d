"""Identity providers: the claims of their jobs, and the fields that the claims state."""

from __future__ import annotations

import pytest

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.identity_providers import NAMES
from cloudrepo_server.specs.identity_providers.provider import ClaimError
from cloudrepo_server.specs.identity_providers.specification import (
    format_publisher,
    parse_publisher,
)
from cloudrepo_server.specs.identity_providers.table import PROVIDERS
from tests.support.trust import JOBS

CIRCLECI = "oidc.circleci.com/"
REQUIRED_CLAIMS = {
    "github": {"sub", "repository", "repository_owner", "job_workflow_ref"},
    "gitlab": {"sub", "project_path", "ci_config_ref_uri", "ref_path", "sha"},
    "google": {"email", "email_verified"},
    "buildkite": {"sub", "organization_slug", "pipeline_slug"},
    "circleci": {
        CIRCLECI + name for name in ("org-id", "project-id", "pipeline-definition-id", "ssh-rerun")
    },
    "activestate": {"sub", "organization", "project", "actor", "actor_id", "builder"},
}
# The claims that the documentation of each provider lists, for a job without an environment.
DOCUMENTED_CLAIMS = {
    "github": "sub repository repository_id repository_owner repository_owner_id "
    "repository_visibility actor actor_id event_name ref ref_type ref_protected head_ref base_ref "
    "sha workflow workflow_ref workflow_sha job_workflow_ref job_workflow_sha run_id run_number "
    "run_attempt runner_environment",
    "gitlab": "sub namespace_id namespace_path project_id project_path project_visibility user_id "
    "user_login user_email user_access_level pipeline_id pipeline_source job_id ref ref_type "
    "ref_path ref_protected runner_id runner_environment sha ci_config_ref_uri ci_config_sha",
    "google": "sub azp email email_verified",
    "buildkite": "sub organization_slug organization_id pipeline_slug pipeline_id build_number "
    "build_branch build_commit step_key job_id agent_id runner_environment",
    "circleci": "org-id project-id pipeline-definition-id context-ids pipeline-id workflow-id "
    "job-id vcs-origin vcs-ref ssh-rerun",
    "activestate": "sub organization organization_id project project_id project_path "
    "project_visibility actor actor_id artifact_id builder",
}
# Claims whose value does not depend on the fields of the publisher.
CONSTANT_CLAIMS: dict[str, dict[str, object]] = {
    "github": {
        "repository_visibility": "public",
        "event_name": "push",
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "runner_environment": "github-hosted",
    },
    "gitlab": {
        "project_visibility": "public",
        "user_access_level": "owner",
        "pipeline_source": "push",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "runner_environment": "gitlab-hosted",
    },
    "google": {"email_verified": True},
    "buildkite": {"build_branch": "main", "runner_environment": "self-hosted"},
    "circleci": {CIRCLECI + "vcs-ref": "refs/heads/main", CIRCLECI + "ssh-rerun": False},
    "activestate": {"project_visibility": "public", "builder": "pypi-publisher"},
}
ISSUERS = {
    "github": "https://token.actions.githubusercontent.com",
    "gitlab": "https://gitlab.com",
    "google": "https://accounts.google.com",
    "buildkite": "https://agent.buildkite.com",
    "circleci": "https://oidc.circleci.com",
    "activestate": "https://platform.activestate.com/api/v1/oauth/oidc",
}
# The fields in which PyPI ignores the case of letters.
CASE_INSENSITIVE = {"github": {"repository", "environment"}, "gitlab": {"repository"}}
every_provider = pytest.mark.parametrize("name", NAMES)


def test_the_names_are_those_of_the_table() -> None:
    assert tuple(PROVIDERS) == NAMES
    assert JOBS.keys() == REQUIRED_CLAIMS.keys() == PROVIDERS.keys()


@every_provider
def test_the_claims_of_a_job_state_its_fields(name: str) -> None:
    provider = PROVIDERS[name]
    fields = provider.check_fields(JOBS[name])
    stated = provider.stated(provider.claims(fields, {}))
    assert stated.keys() == {*provider.required, *provider.optional}
    assert provider.first_difference(fields, stated) is None
    for field in fields:
        other = {**fields, field: "another"}
        difference = provider.first_difference(other, stated)
        assert difference is not None
        assert difference.startswith(f"the {field} is ")


@every_provider
def test_a_job_has_the_issuer_and_the_claims_that_the_provider_documents(name: str) -> None:
    provider = PROVIDERS[name]
    assert provider.issuer == ISSUERS[name]
    claims = provider.claims(provider.check_fields(JOBS[name]), {})
    documented = DOCUMENTED_CLAIMS[name].split()
    if name == "circleci":
        documented = ["sub", *(CIRCLECI + claim for claim in documented)]
    assert set(claims) == set(documented)
    assert claims | CONSTANT_CLAIMS[name] == claims


def test_the_subject_of_a_service_account_has_21_digits() -> None:
    claims = PROVIDERS["google"].claims(JOBS["google"], {})
    assert len(claims["sub"]) == 21
    assert claims["sub"].isdecimal()


@every_provider
def test_the_case_of_letters_matters_as_on_pypi(name: str) -> None:
    provider = PROVIDERS[name]
    given = dict(JOBS[name])
    if "environment" in provider.optional:
        given["environment"] = "pypi"
    fields = provider.check_fields(given)
    stated = provider.stated(provider.claims(fields, {}))
    ignored = {
        field
        for field, value in fields.items()
        if value.upper() != value
        and provider.first_difference({**fields, field: value.upper()}, stated) is None
    }
    assert ignored == CASE_INSENSITIVE.get(name, set())


@every_provider
def test_required_claims_must_be_there(name: str) -> None:
    provider = PROVIDERS[name]
    claims = provider.claims(provider.check_fields(JOBS[name]), {})
    for claim in claims:
        without = {key: value for key, value in claims.items() if key != claim}
        if claim in REQUIRED_CLAIMS[name]:
            with pytest.raises(ClaimError, match=rf"'{claim}'|ref"):
                provider.stated(without)
        elif not (name == "github" and claim in {"ref", "sha"}):
            provider.stated(without)


@every_provider
@pytest.mark.parametrize(
    "value", [5, True, None, [], {}, "", [1], "x", "x/y:z", "/" * 9, "\udfff", float("nan")]
)
def test_claims_of_any_type_are_stated_or_rejected(name: str, value: object) -> None:
    provider = PROVIDERS[name]
    claims = provider.claims(provider.check_fields(JOBS[name]), {})
    for claim in claims:
        try:
            stated = provider.stated({**claims, claim: value})
        except ClaimError:
            continue
        for values in stated.values():
            assert all(isinstance(each, str) for each in values)


def test_a_tag_is_in_all_claims_that_follow_from_it() -> None:
    claims = PROVIDERS["github"].claims(JOBS["github"], {"ref": "refs/tags/v1"})
    assert claims["job_workflow_ref"].endswith("@refs/tags/v1")
    assert (claims["ref_type"], claims["sub"]) == ("tag", "repo:acme/demo:ref:refs/tags/v1")
    fields = PROVIDERS["gitlab"].check_fields(JOBS["gitlab"])
    claims = PROVIDERS["gitlab"].claims(fields, {"ref": "v1", "ref_type": "tag"})
    assert claims["ci_config_ref_uri"] == (
        "gitlab.com/acme/tools/demo//.gitlab-ci.yml@refs/tags/v1"
    )


@pytest.mark.parametrize(
    ("name", "claim", "workflow", "expected"),
    [
        (
            "github",
            "job_workflow_ref",
            "other/demo/.github/workflows/release.yml@refs/heads/main",
            "['acme/demo/.github/workflows/release.yml@refs/heads/main', ",
        ),
        (
            "gitlab",
            "ci_config_ref_uri",
            "gitlab.com/acme/tools/demo//.gitlab-ci.yml@refs/heads/other",
            "['gitlab.com/acme/tools/demo//.gitlab-ci.yml@refs/heads/main', ",
        ),
    ],
)
def test_a_workflow_of_another_repository_or_revision_is_rejected(
    name: str, claim: str, workflow: str, expected: str
) -> None:
    provider = PROVIDERS[name]
    claims = provider.claims(provider.check_fields(JOBS[name]), {})
    with pytest.raises(ClaimError, match=f"The {claim} claim does not match") as raised:
        provider.stated({**claims, claim: workflow})
    assert f"expecting one of {expected}" in str(raised.value)
    assert str(raised.value).endswith(f"got {workflow!r}")
    with pytest.raises(ClaimError, match="'sub'"):
        provider.stated({**claims, "sub": claims["sub"].replace("demo", "other")})


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("github:acme/demo/release.yml", JOBS["github"]),
        ("github:acme/demo/release.yml@pypi", {**JOBS["github"], "environment": "pypi"}),
        (
            "gitlab:acme/tools/demo/.gitlab-ci.yml",
            {"repository": "acme/tools/demo", "workflow": ".gitlab-ci.yml"},
        ),
        (
            "gitlab:acme/demo//ci/release.yml@pypi",
            {"repository": "acme/demo", "workflow": "ci/release.yml", "environment": "pypi"},
        ),
        ("google:release@acme.example", JOBS["google"]),
        ("buildkite:acme/demo", JOBS["buildkite"]),
        ("circleci:{}/{}/{}".format(*JOBS["circleci"].values()), JOBS["circleci"]),
        ("activestate:acme/demo/ada", JOBS["activestate"]),
    ],
)
def test_a_publisher_is_described_by_a_text(text: str, fields: dict[str, str]) -> None:
    provider = text.partition(":")[0]
    assert parse_publisher(text) == (provider, fields)
    assert format_publisher(provider, fields) == text


def test_the_workflow_on_gitlab_can_be_left_out() -> None:
    fields = {"repository": "acme/demo", "workflow": ".gitlab-ci.yml"}
    assert parse_publisher("gitlab:acme/demo").fields == fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a trusted publisher: use the form PROVIDER:OWNER"),
        ("acme/demo/release.yml", "is not a trusted publisher"),
        ("nobody:acme/demo", "Unknown identity provider 'nobody'"),
        ("github:", "repository, workflow is missing"),
        ("github:acme/demo", "workflow 'demo' for GitHub|repository 'acme' for GitHub"),
        ("github:acme/demo/release", "Invalid workflow 'release'"),
        ("github:acme/x/demo/release.yml", "Invalid repository 'acme/x/demo'"),
        ("buildkite:acme", "pipeline is missing"),
        ("circleci:a/b", "project_id, pipeline_definition_id is missing"),
        ("github:" + "x" * 10_000, "Invalid trusted publisher"),
    ],
)
def test_a_text_that_describes_no_publisher_is_rejected(text: str, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        parse_publisher(text)
