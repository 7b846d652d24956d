"""Trusted publishing: a trusted publisher of a repository, and the environment of its CI job."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from http import HTTPStatus
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from cloudrepo_server.clients import WITHOUT_JOBS, CiJob
from pytest_cloudrepo._programs.secret import issue
from pytest_cloudrepo.errors import CloudRepoError, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrustedPublisher:
    """A job that may publish to a repository with an identity token of its provider."""

    id: str
    """The publisher's identifier in the admin API."""
    provider: str
    """The identity provider, such as `github`."""
    fields: Mapping[str, str]
    """What identifies the job, such as the source repository and the workflow."""
    project: str | None
    """The normalized name of the only project that it may publish; None means all projects."""
    pending: bool
    """Whether the project did not exist when the publisher was registered."""
    _call: Callable[..., Any] = field(repr=False, compare=False)

    def remove(self) -> None:
        """Remove the publisher from the repository. Removing it again has no effect.

        Tokens that were minted for it are valid until they expire.
        """
        __tracebackhide__ = True
        try:
            self._call("DELETE", "publishers", self.id)
        except ServerError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise


def add_publisher(
    call: Callable[..., Any], provider: str, claims: Mapping[str, str], project: str | None
) -> TrustedPublisher:
    """Register a trusted publisher through the admin API, and return it."""
    __tracebackhide__ = True
    body = {"provider": provider, "fields": dict(claims), "project": project}
    created = call("POST", "publishers", json=body)
    return TrustedPublisher(
        id=created["id"],
        provider=created["provider"],
        fields=created["fields"],
        project=created["project"],
        pending=created["pending"],
        _call=call,
    )


def create_job(call: Callable[..., Any], provider: str, claims: Mapping[str, Any]) -> CiJob:
    """Return a CI job; its tokens are secrets of this session.

    Raises:
        ValueError: the provider's jobs run no programs that request identity tokens.
        CloudRepoError: the operating system cannot run the provider's programs.
        ServerError: the provider is unknown, or a claim is missing or invalid.
    """
    __tracebackhide__ = True
    if provider in WITHOUT_JOBS:
        raise ValueError(
            f"programs in a job of {provider!r} cannot request identity tokens: "
            "use identity_token instead of ci_environ"
        )
    created = call("POST", "jobs", json={"provider": provider, "claims": dict(claims)})
    job = CiJob(**{each.name: created[each.name] for each in fields(CiJob)})
    if job.program is not None and sys.platform == "win32":
        raise CloudRepoError(f"cannot run {job.program} on Windows: it is a shell script")
    for token in (job.request_token, *job.tokens.values()):
        issue(token)
    return job


def job_variables(job: CiJob, folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a job, and create the files that they name.

    Args:
        job: the job.
        folder: the folder in which a folder for the files is created.
        environ: the environment to which the variables will be added.
    """
    folder = folder / f"job-{token_hex(4)}"
    for file in job.files(folder):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_text(file.text, encoding="utf-8")
        file.path.chmod(file.mode)
    return job.variables(folder, environ)
