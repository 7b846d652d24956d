"""Trusted publishers, CI jobs and identity tokens of a repository."""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from pytest_cloudrepo import CloudRepoError
from pytest_cloudrepo._programs.masking import mask
from tests.support.platforms import WINDOWS, needs_posix

if TYPE_CHECKING:
    from pytest_cloudrepo import PackageFactory, Repository, RepositoryFactory

shell_scripts = needs_posix("shell scripts")

JOB: dict[str, Any] = {"repository": "acme/demo", "workflow": "release.yml"}
# Each provider whose jobs run programs, and what identifies a job.
JOBS: dict[str, dict[str, Any]] = {
    "github": JOB,
    "gitlab": {"repository": "acme/demo"},
    "google": {"email": "release@acme.example"},
    "buildkite": {"organization": "acme", "pipeline": "demo"},
    "circleci": {"organization_id": "a", "project_id": "b", "pipeline_definition_id": "c"},
}
# The shell script that a job of a provider gets, and arguments that request a token.
PROGRAMS = {
    "buildkite": ["buildkite-agent", "oidc", "request-token", "--audience", "pypi"],
    "circleci": ["circleci", "run", "oidc", "get", "--claims", '{"aud": "pypi"}'],
}
MACHINE = {
    "CI": "machine", "GITHUB_ACTIONS": "machine", "GITHUB_TOKEN": "machine",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "machine", "RUNNER_OS": "machine", "GITLAB_CI": "machine",
    "CI_JOB_TOKEN": "machine", "PYPI_ID_TOKEN": "machine", "SIGSTORE_ID_TOKEN": "machine",
    "BUILDKITE": "machine", "BUILDKITE_AGENT_ACCESS_TOKEN": "machine", "CIRCLECI": "machine",
    "CIRCLE_OIDC_TOKEN": "machine", "GOOGLE_SERVICE_ACCOUNT_NAME": "machine",
    "GOOGLE_APPLICATION_CREDENTIALS": "machine", "AWS_SECRET_ACCESS_KEY": "machine",
    "TWINE_PASSWORD": "machine", "UV_PUBLISH_TOKEN": "machine", "SEMAPHORE_OIDC_TOKEN": "machine",
    "BITBUCKET_STEP_OIDC_TOKEN": "machine",
}  # fmt: skip
REQUEST = """
import json, os, urllib.request
request = urllib.request.Request(
    os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=pypi",
    headers={"Authorization": "bearer " + os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]},
)
value = json.load(urllib.request.urlopen(request))["value"]
"""
MINT = """
import ssl
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
body = json.dumps({"token": value}).encode()
minted = json.load(opener.open("https://index.example/_/oidc/mint-token", data=body))["token"]
"""


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def python(repository: Repository, code: str, environ: dict[str, str]) -> str:
    """Run Python code, and return its output."""
    return repository.run(sys.executable, "-c", code, environ=environ).stdout


def test_a_publisher_is_registered_and_removed(cloudrepo: Repository) -> None:
    publisher = cloudrepo.trust("github", project="Demo", environment="pypi", **JOB)
    assert publisher.provider == "github"
    assert publisher.fields == {**JOB, "environment": "pypi"}
    assert (publisher.project, publisher.pending) == ("demo", True)
    publisher.remove()
    publisher.remove()
    cloudrepo.trust("github", project="Demo", environment="pypi", **JOB)


def test_a_mistake_is_an_error_that_names_it(cloudrepo: Repository) -> None:
    with pytest.raises(Exception, match="Unknown identity provider 'nobody'"):
        cloudrepo.trust("nobody")
    with pytest.raises(Exception, match=r"workflow is missing\. It has repository, workflow and"):
        cloudrepo.trust("github", repository="acme/demo")
    with pytest.raises(Exception, match="unknown field ref"):
        cloudrepo.trust("github", ref="x", **JOB)
    for call in (cloudrepo.ci_environ, cloudrepo.identity_token):
        with pytest.raises(Exception, match="repository, workflow is missing"):
            call("github")
    with pytest.raises(ValueError, match="use identity_token instead of ci_environ"):
        cloudrepo.ci_environ("activestate")
    assert cloudrepo.identity_token(
        "activestate", organization="acme", activestate_project="demo", actor="ada"
    )


def test_identity_tokens_have_the_chosen_claims_and_times(cloudrepo: Repository) -> None:
    token = cloudrepo.identity_token("github", **JOB)
    assert repr(token) == "'***'"
    claims = claims_of(token)
    assert claims["aud"] == "pypi"
    assert claims["job_workflow_ref"] == "acme/demo/.github/workflows/release.yml@refs/heads/main"
    other = claims_of(
        cloudrepo.identity_token(
            "github", audience="other", expires_in=-60, iss="https://x.example", sub=None, **JOB
        )
    )
    assert (other["aud"], other["iss"]) == ("other", "https://x.example")
    assert other["exp"] == other["iat"] - 60
    assert "sub" not in other
    later = claims_of(cloudrepo.identity_token("github", valid_in=60, **JOB))
    assert later["nbf"] == later["iat"] + 60


@pytest.mark.parametrize(
    "provider",
    [
        pytest.param(provider, marks=shell_scripts) if provider in PROGRAMS else provider
        for provider in JOBS
    ],
)
def test_a_job_has_no_credentials_and_no_variables_of_the_machines_own_ci(
    cloudrepo: Repository, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in MACHINE.items():
        monkeypatch.setenv(name, value)
    environ = cloudrepo.ci_environ(provider, "https://index.example/legacy/", **JOBS[provider])
    assert "machine" not in environ.values()
    assert environ["CI"] == "true"
    for value in environ.values():
        assert cloudrepo.password not in value
    own = {name for name in environ if name.endswith(("_USERNAME", "_PASSWORD", "_TOKEN"))}
    expected = {
        "github": {"ACTIONS_ID_TOKEN_REQUEST_TOKEN"},
        "gitlab": {"PYPI_ID_TOKEN", "TESTPYPI_ID_TOKEN"},
        "google": set(),
        "buildkite": {"CLOUDREPO_JOB_REQUEST_TOKEN"},
        "circleci": {"CLOUDREPO_JOB_REQUEST_TOKEN"},
    }
    assert own == expected[provider]
    for name in own:
        assert repr(environ[name]) == "'***'"


def test_no_program_gets_the_identity_tokens_of_the_machine(
    cloudrepo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYPI_ID_TOKEN", "machine")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "machine")
    assert "machine" not in cloudrepo.environ.values()
    assert "machine" not in cloudrepo.environ_for("twine").values()


def test_the_variables_of_a_job_on_github_follow_from_its_claims(cloudrepo: Repository) -> None:
    environ = cloudrepo.ci_environ("github", ref="refs/tags/v1.0", event_name="release", **JOB)
    assert environ["GITHUB_REPOSITORY"] == "acme/demo"
    assert environ["GITHUB_REF"] == "refs/tags/v1.0"
    assert (environ["GITHUB_REF_NAME"], environ["GITHUB_REF_TYPE"]) == ("v1.0", "tag")
    assert environ["GITHUB_EVENT_NAME"] == "release"
    assert environ["GITHUB_WORKFLOW_REF"] == (
        "acme/demo/.github/workflows/release.yml@refs/tags/v1.0"
    )
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_ENV"):
        assert Path(environ[name]).read_bytes() == b""


def test_the_variables_of_a_job_on_gitlab_follow_from_its_claims(cloudrepo: Repository) -> None:
    fields = {"repository": "acme/tools/demo", "environment": "production"}
    environ = cloudrepo.ci_environ("gitlab", ref="v1.0", ref_type="tag", **fields)
    assert environ["CI_PROJECT_PATH"] == "acme/tools/demo"
    assert environ["CI_COMMIT_TAG"] == "v1.0"
    assert environ["CI_ENVIRONMENT_NAME"] == "production"
    assert "CI_COMMIT_BRANCH" not in environ
    assert claims_of(environ["PYPI_ID_TOKEN"])["aud"] == "pypi"
    assert claims_of(environ["TESTPYPI_ID_TOKEN"])["aud"] == "testpypi"


def test_a_program_exchanges_its_identity_at_the_given_url(
    cloudrepo: Repository, cloudrepo_package: PackageFactory
) -> None:
    cloudrepo.trust("github", **JOB)
    environ = cloudrepo.ci_environ("github", "https://index.example/legacy/", **JOB)
    upload = [sys.executable, "-m", "twine", "upload", "--username", "__token__"]
    code = f"""{REQUEST}{MINT}
import subprocess, sys
sys.exit(subprocess.call([*{upload!r}, "--password", minted, "--repository-url",
    "https://index.example/legacy/", {str(cloudrepo_package("demo", "1.0"))!r}]))
"""
    python(cloudrepo, code, environ)
    assert cloudrepo.versions("demo") == ["1.0"]
    assert [request.path for request in cloudrepo.requests][:2] == [
        "/_/ci/idtoken",
        "/_/oidc/mint-token",
    ]
    (upload_request,) = cloudrepo.requests.uploads()
    assert upload_request.user == "github:acme/demo/release.yml"


def test_the_tokens_that_a_program_gets_are_masked_in_its_output(cloudrepo: Repository) -> None:
    cloudrepo.trust("github", **JOB)
    environ = cloudrepo.ci_environ("github", "https://index.example/", **JOB)
    code = f"""{REQUEST}{MINT}
import base64
print("identity", value)
print("upload", minted)
print("basic", base64.b64encode(f"__token__:{{minted}}".encode()).decode())
print("environ", os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
print("end")
"""
    assert python(cloudrepo, code, environ) == (
        "identity ***\nupload ***\nbasic ***\nenviron ***\nend\n"
    )


def test_other_tokens_are_not_masked() -> None:
    other = jwt.encode({"a": 1}, "k" * 32, algorithm="HS256")
    text = f"{other} cloudrepo.x cloudrepo.example {base64.b64encode(b'__token__:x').decode()}"
    assert mask(text, []) == text


def test_the_keys_of_the_provider_are_served_at_its_own_url(cloudrepo: Repository) -> None:
    environ = cloudrepo.ci_environ("github", **JOB)
    code = f"""{REQUEST}
import ssl
import jwt
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
issuer = jwt.decode(value, options={{"verify_signature": False}})["iss"]
configuration = json.load(opener.open(issuer + "/.well-known/openid-configuration"))
keys = jwt.PyJWKSet.from_dict(json.load(opener.open(configuration["jwks_uri"])))
key = keys[jwt.get_unverified_header(value)["kid"]]
claims = jwt.decode(value, key, algorithms=["RS256"], audience="pypi", issuer=issuer)
print(json.dumps([configuration["issuer"], claims["repository"]]))
"""
    assert json.loads(python(cloudrepo, code, environ)) == [
        "https://token.actions.githubusercontent.com",
        "acme/demo",
    ]


def test_an_allowed_host_is_not_impersonated(cloudrepo: Repository) -> None:
    cloudrepo.allow_hosts("token.actions.githubusercontent.com")
    environ = cloudrepo.ci_environ("github", "https://index.example/", **JOB)
    assert environ["GITHUB_ACTIONS"] == "true"


def test_the_metadata_server_of_google_cloud_is_impersonated(cloudrepo: Repository) -> None:
    cloudrepo.trust("google", **JOBS["google"])
    environ = cloudrepo.ci_environ("google", "https://index.example/", **JOBS["google"])
    code = """
import json, os, urllib.request
base = f"http://{os.environ['GCE_METADATA_HOST']}/computeMetadata/v1/instance/service-accounts"
request = urllib.request.Request(
    base + "/default/identity?audience=pypi", headers={"Metadata-Flavor": "Google"}
)
print(len(urllib.request.urlopen(request).read().split(b".")))
"""
    assert python(cloudrepo, code, environ) == "3\n"


@shell_scripts
@pytest.mark.parametrize(("provider", "arguments"), PROGRAMS.items())
def test_the_program_of_the_provider_prints_an_identity_token(
    cloudrepo: Repository, provider: str, arguments: list[str]
) -> None:
    environ = cloudrepo.ci_environ(provider, "https://index.example/", **JOBS[provider])
    assert cloudrepo.run(*arguments, environ=environ).stdout == "***\n"
    wrong = cloudrepo.run(arguments[0], "other", environ=environ, check=False)
    assert wrong.returncode == 2
    assert "unknown command: other" in wrong.stderr
    broken = {**environ, "CLOUDREPO_JOB_REQUEST_TOKEN": "wrong"}
    rejected = cloudrepo.run(*arguments, environ=broken, check=False)
    assert rejected.returncode == 1
    assert "could not be requested: HTTP Error 401" in rejected.stderr


@pytest.mark.skipif(not WINDOWS, reason="only Windows cannot run a shell script")
@pytest.mark.parametrize("provider", PROGRAMS)
def test_a_job_whose_program_is_a_shell_script_is_an_error(
    cloudrepo: Repository, provider: str
) -> None:
    message = f"cannot run {PROGRAMS[provider][0]} on Windows: it is a shell script"
    with pytest.raises(CloudRepoError, match=message):
        cloudrepo.ci_environ(provider, **JOBS[provider])


def test_settings_of_trusted_publishing(cloudrepo_factory: RepositoryFactory) -> None:
    with pytest.raises(TypeError, match="minted_token_seconds must be a number of seconds"):
        cloudrepo_factory(minted_token_seconds="long")  # type: ignore[arg-type] # the mistake
    with pytest.raises(TypeError, match="a list of identity providers"):
        cloudrepo_factory(disabled_identity_providers="github")
    repository = cloudrepo_factory(minted_token_seconds=60, disabled_identity_providers=["gitlab"])
    assert re.fullmatch(r"[\w-]+", repository.name)
