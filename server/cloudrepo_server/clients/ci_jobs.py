"""CI jobs: the environment variables of a job, the programs in it, and the URLs of its provider.

Each provider has its own way to request identity tokens. `ci_agent.py` is the program that jobs on
Buildkite and CircleCI run for that.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

# The variables with the URL and the token with which `ci_agent.py` requests identity tokens.
_REQUEST_URL: Final = "CLOUDREPO_JOB_REQUEST_URL"
_REQUEST_TOKEN: Final = "CLOUDREPO_JOB_REQUEST_TOKEN"  # noqa: S105 (the name of a variable)

# The prefixes and names of variables that CI services set: facts about the job, and credentials.
_CI_PREFIXES: Final = (
    *("GITHUB_", "RUNNER_", "ACTIONS_", "GITLAB_", "CI_", "BUILDKITE", "CIRCLE", "SEMAPHORE"),
    *("GOOGLE_", "GCE_", "CLOUDSDK_", "AWS_", "AZURE_", "TRAVIS", "APPVEYOR", "JENKINS_"),
    *("BITBUCKET_", "DRONE_", "TEAMCITY_", "SYSTEM_", "BUILD_", "AGENT_", "TF_BUILD"),
)
_CI_NAMES: Final = frozenset(("CI", "CONTINUOUS_INTEGRATION", "INPUT_PASSWORD", "INPUT_USER"))
_METADATA_HOSTS: Final = ("http://metadata.google.internal", "http://metadata")
_PROGRAMS: Final = {"buildkite": "buildkite-agent", "circleci": "circleci"}
_PROGRAM_MODE: Final = 0o755
_FILE_MODE: Final = 0o600

WITHOUT_JOBS: Final = ("activestate",)
"""The providers whose own builder requests identity tokens, so their jobs run no programs."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file that must exist while the programs of a job run."""

    path: Path
    text: str = ""
    mode: int = _FILE_MODE
    """Its permissions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CiJob:
    """A CI job, as the admin API describes it."""

    provider: str
    issuer: str
    claims: Mapping[str, Any]
    request_url: str
    request_token: str = field(repr=False)
    tokens: Mapping[str, str] = field(repr=False)
    """An identity token for each audience."""

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of the provider to impersonate: its keys, and its metadata server."""
        metadata = _METADATA_HOSTS if self.provider == "google" else ()
        return (f"{self.issuer}/.well-known/", *metadata)

    @property
    def program(self) -> str | None:
        """The name of the provider's program that prints identity tokens, or None."""
        return _PROGRAMS.get(self.provider)

    def variables(self, folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables that the provider sets for a job.

        Args:
            folder: the folder for the files that some variables name. It need not exist.
            environ: the environment to which the variables will be added.
        """
        variables = self._provider_variables(folder)
        if self.program is not None:
            path = environ.get("PATH", os.defpath)
            variables["PATH"] = os.pathsep.join([str(_programs(folder)), path])
        return variables

    def files(self, folder: Path) -> list[JobFile]:
        """Return the files that the caller must create in the folder, which `variables` names."""
        values = self._provider_variables(folder).values()
        files = [JobFile(Path(value)) for value in values if value.startswith(str(folder))]
        if self.program is not None:
            path = _programs(folder) / self.program
            files.append(JobFile(path, _agent_script(), _PROGRAM_MODE))
        return files

    def _provider_variables(self, folder: Path) -> dict[str, str]:
        describe = {
            "github": self._github,
            "gitlab": self._gitlab,
            "google": self._google,
            "buildkite": self._buildkite,
            "circleci": self._circleci,
        }
        return {"CI": "true", **describe[self.provider](folder)}

    def _claim(self, name: str) -> str:
        return str(self.claims.get(name, ""))

    def _github(self, folder: Path) -> dict[str, str]:
        ref = self._claim("ref")
        variables = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": self.request_url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.request_token,
            "GITHUB_ACTIONS": "true",
            "GITHUB_JOB": "publish",
            "GITHUB_REF_NAME": ref.removeprefix("refs/heads/").removeprefix("refs/tags/"),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_TRIGGERING_ACTOR": self._claim("actor"),
            "RUNNER_ENVIRONMENT": self._claim("runner_environment"),
            "RUNNER_OS": "Linux",
        }
        for name in (
            *("ACTOR", "ACTOR_ID", "BASE_REF", "EVENT_NAME", "HEAD_REF", "REF", "REF_PROTECTED"),
            *("REF_TYPE", "REPOSITORY", "REPOSITORY_ID", "REPOSITORY_OWNER"),
            *("REPOSITORY_OWNER_ID", "RUN_ATTEMPT", "RUN_ID", "RUN_NUMBER", "SHA", "WORKFLOW"),
            *("WORKFLOW_REF", "WORKFLOW_SHA"),
        ):
            variables[f"GITHUB_{name}"] = self._claim(name.lower())
        for name in ("STEP_SUMMARY", "OUTPUT", "ENV", "PATH", "STATE"):
            variables[f"GITHUB_{name}"] = str(folder / f"github-{name.lower()}")
        return variables

    def _gitlab(self, _: Path) -> dict[str, str]:
        is_tag = self._claim("ref_type") == "tag"
        variables = {
            "GITLAB_CI": "true",
            "CI_COMMIT_REF_NAME": self._claim("ref"),
            "CI_COMMIT_SHA": self._claim("sha"),
            "CI_JOB_ID": self._claim("job_id"),
            "CI_PIPELINE_ID": self._claim("pipeline_id"),
            "CI_PIPELINE_SOURCE": self._claim("pipeline_source"),
            "CI_PROJECT_ID": self._claim("project_id"),
            "CI_PROJECT_NAMESPACE": self._claim("namespace_path"),
            "CI_PROJECT_PATH": self._claim("project_path"),
            "CI_SERVER_URL": self.issuer,
            "CI_COMMIT_TAG" if is_tag else "CI_COMMIT_BRANCH": self._claim("ref"),
        }
        if "environment" in self.claims:
            variables["CI_ENVIRONMENT_NAME"] = self._claim("environment")
        # Each variable is named after the audience of its token.
        tokens = {f"{name.upper()}_ID_TOKEN": token for name, token in self.tokens.items()}
        return {**variables, **tokens}

    def _google(self, _: Path) -> dict[str, str]:
        return {"GCE_METADATA_HOST": "metadata.google.internal"}

    def _buildkite(self, _: Path) -> dict[str, str]:
        return {
            "BUILDKITE": "true",
            "BUILDKITE_BRANCH": self._claim("build_branch"),
            "BUILDKITE_BUILD_NUMBER": self._claim("build_number"),
            "BUILDKITE_COMMIT": self._claim("build_commit"),
            "BUILDKITE_JOB_ID": self._claim("job_id"),
            "BUILDKITE_ORGANIZATION_SLUG": self._claim("organization_slug"),
            "BUILDKITE_PIPELINE_SLUG": self._claim("pipeline_slug"),
            "BUILDKITE_STEP_KEY": self._claim("step_key"),
            "BUILDKITE_TAG": self._claim("build_tag"),
            **self._agent_variables,
        }

    def _circleci(self, _: Path) -> dict[str, str]:
        return {
            "CIRCLECI": "true",
            "CIRCLE_PROJECT_ID": self._claim("oidc.circleci.com/project-id"),
            "CIRCLE_ORGANIZATION_ID": self._claim("oidc.circleci.com/org-id"),
            "CIRCLE_PIPELINE_ID": self._claim("oidc.circleci.com/pipeline-id"),
            "CIRCLE_WORKFLOW_ID": self._claim("oidc.circleci.com/workflow-id"),
            "CIRCLE_WORKFLOW_JOB_ID": self._claim("oidc.circleci.com/job-id"),
            **self._agent_variables,
        }

    @property
    def _agent_variables(self) -> dict[str, str]:
        return {_REQUEST_URL: self.request_url, _REQUEST_TOKEN: self.request_token}


def without_ci(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables that CI services set.

    They say which job runs, and some of them are credentials.
    """
    return {
        name: value
        for name, value in environ.items()
        if name.upper() not in _CI_NAMES and not name.upper().startswith(_CI_PREFIXES)
    }


def _programs(folder: Path) -> Path:
    return folder / "bin"


def _agent_script() -> str:
    """Return a POSIX shell script that runs `ci_agent.py`."""
    agent = shlex.join([sys.executable, "-I", str(Path(__file__).with_name("ci_agent.py"))])
    return f'#!/bin/sh\nexec {agent} "$@"\n'
