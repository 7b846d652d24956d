"""twine and uv publish by trusted publishing, under their own default URLs; and each rejection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from cloudrepo_server.clients import public_index
from tests.support.shown_output import shows_status

if TYPE_CHECKING:
    from pytest_cloudrepo import CommandResult, PackageFactory, Repository, RepositoryFactory

JOB: dict[str, Any] = {"repository": "acme/demo", "workflow": "release.yml"}
COMMANDS = {
    "twine": ("twine", "upload"),
    "uv": ("uv", "publish", "--trusted-publishing", "always"),
}
# What identifies a job of each provider that twine and uv know.
JOBS: dict[str, dict[str, Any]] = {
    "github": JOB,
    "gitlab": {"repository": "acme/tools/demo", "workflow": "ci/release.yml"},
    "buildkite": {"organization": "acme", "pipeline": "demo"},
    "circleci": {"organization_id": "a", "project_id": "b", "pipeline_definition_id": "c"},
}
Publish = Callable[..., "CommandResult"]
every_tool = pytest.mark.parametrize("tool", COMMANDS)


@pytest.fixture
def publish(cloudrepo_package: PackageFactory) -> Publish:
    """A function that publishes demo in a CI job, and returns the result."""

    def publish(
        repository: Repository, tool: str, provider: str = "github", **claims: object
    ) -> CommandResult:
        environ = repository.ci_environ(provider, **{**JOBS[provider], **claims})
        wheel = cloudrepo_package("demo", "1.0")
        return repository.run(*COMMANDS[tool], wheel, environ=environ, check=False)

    return publish


def requests_of(repository: Repository) -> list[tuple[str, str, int]]:
    path = f"/repositories/{repository.name}/"
    return [
        (request.method, request.path.replace(path, "UPLOAD"), request.status)
        for request in repository.requests
    ]


@every_tool
@pytest.mark.parametrize("provider", JOBS)
def test_a_job_publishes_to_the_default_url(
    cloudrepo: Repository, publish: Publish, tool: str, provider: str
) -> None:
    cloudrepo.trust(provider, project="demo", **JOBS[provider])
    result = publish(cloudrepo, tool, provider)
    assert result.ok, result.output
    assert cloudrepo.versions("demo") == ["1.0"]
    requested = [] if provider == "gitlab" else [("GET", "/_/ci/idtoken", 200)]
    burnt = [("POST", "/_/oidc/burn-token", 202)] if tool == "uv" else []
    assert requests_of(cloudrepo) == [
        ("GET", "/_/oidc/audience", 200),
        *requested,
        ("POST", "/_/oidc/mint-token", 200),
        ("POST", "UPLOAD", 200),
        *burnt,
    ]


@every_tool
def test_a_job_publishes_to_the_test_instance(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, tool: str
) -> None:
    cloudrepo.trust("github", **JOB)
    environ = cloudrepo.ci_environ("github", "testpypi", **JOB)
    option = "--repository-url" if tool == "twine" else "--publish-url"
    url = public_index("testpypi").upload
    wheel = cloudrepo_package("demo", "1.0")
    cloudrepo.run(*COMMANDS[tool], option, url, wheel, environ=environ)
    assert cloudrepo.versions("demo") == ["1.0"]


@every_tool
@pytest.mark.parametrize(
    ("claims", "code", "description"),
    [
        ({"iss": "https://issuer.example"}, "invalid-payload", "unknown trusted publishing issuer"),
        ({"exp": 1}, "invalid-token", "malformed or invalid token: it has expired"),
        (
            {"workflow": "other.yml"},
            "invalid-publisher",
            "the workflow is 'other.yml', not 'release.yml'",
        ),
        ({"jti": "used"}, "invalid-reuse-token", "invalid token: already used"),
    ],
)
def test_a_tool_shows_why_its_token_was_rejected(
    cloudrepo: Repository,
    publish: Publish,
    tool: str,
    claims: dict[str, Any],
    code: str,
    description: str,
) -> None:
    cloudrepo.trust("github", **JOB)
    if "jti" in claims:
        assert publish(cloudrepo, tool, **claims).ok
        cloudrepo.requests.clear()
    result = publish(cloudrepo, tool, **claims)
    assert_shown(tool, result, code, description)
    assert requests_of(cloudrepo)[-1] == ("POST", "/_/oidc/mint-token", 422)
    assert cloudrepo.requests[-1].reason.startswith(f"{code}: ")


@every_tool
def test_a_tool_shows_that_its_project_was_created_meanwhile(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, publish: Publish, tool: str
) -> None:
    cloudrepo.trust("github", project="demo", **JOB)
    cloudrepo.publish(cloudrepo_package("demo", "0.1"))
    result = publish(cloudrepo, tool)
    assert_shown(tool, result, "invalid-pending-publisher", "project already exists")


@every_tool
def test_a_tool_shows_that_its_provider_is_disabled(
    cloudrepo_factory: RepositoryFactory, publish: Publish, tool: str
) -> None:
    repository = cloudrepo_factory(disabled_identity_providers=["github"])
    repository.trust("github", **JOB)
    result = publish(repository, tool)
    assert_shown(tool, result, "not-enabled", "GitHub trusted publishing functionality not enabled")


@every_tool
def test_a_tool_shows_that_trusted_publishing_is_disabled(
    cloudrepo_factory: RepositoryFactory, publish: Publish, tool: str
) -> None:
    providers = ["github", "gitlab", "google", "buildkite", "circleci", "activestate"]
    result = publish(cloudrepo_factory(disabled_identity_providers=providers), tool)
    assert not result.ok
    assert shows_status(result.output, 403)
    assert "Trusted publishing functionality not enabled" in result.output or tool == "uv"


@every_tool
def test_a_tool_shows_that_its_token_is_for_another_project(
    cloudrepo: Repository, publish: Publish, tool: str
) -> None:
    cloudrepo.trust("github", project="other", **JOB)
    result = publish(cloudrepo, tool)
    assert not result.ok
    assert "OIDC scoped token is not valid for project 'demo'" in result.output
    assert cloudrepo.versions("demo") == []


@every_tool
def test_a_token_that_expired_before_the_upload_is_rejected(
    cloudrepo_factory: RepositoryFactory, publish: Publish, tool: str
) -> None:
    repository = cloudrepo_factory(minted_token_seconds=0)
    repository.trust("github", **JOB)
    result = publish(repository, tool)
    assert not result.ok
    assert "has expired" in result.output
    uploads = repository.requests.uploads()
    assert {request.status for request in uploads} == {401}


@every_tool
def test_outside_of_a_job_there_is_no_identity(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, tool: str
) -> None:
    cloudrepo.trust("github", **JOB)
    environ = cloudrepo.ci_environ("github", **JOB)
    del environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    wheel = cloudrepo_package("demo", "1.0")
    result = cloudrepo.run(*COMMANDS[tool], wheel, environ=environ, check=False)
    assert not result.ok
    assert "ACTIONS_ID_TOKEN_REQUEST_TOKEN" in result.output


def assert_shown(tool: str, result: CommandResult, code: str, description: str) -> None:
    """Check that the output has the code and the description, in the form of the tool."""
    assert not result.ok
    output = " ".join(result.output.split())
    assert description in output
    shown = {"twine": f"`{code}`: ", "uv": f'"code":"{code}"'}
    assert shown[tool] in output
