"""The journal: the requests that a repository received, with their responses."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pytest_cloudrepo.headers import Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# The beginning of the paths at which tokens are exchanged.
_TRUSTED_PUBLISHING = "/_/oidc/"

_DESCRIBED_REQUESTS = 10
DECISIVE_FAULTS = (
    *("status", "redirect", "html-error-page"),
    *("reset", "stored-then-error", "missing-metadata"),
)
"""The kinds of faults that replace the response; other faults change or delay it."""


@dataclass(frozen=True, slots=True)
class FiredFault:
    """A fault that changed the response to a request."""

    number: int
    """The number of the fault in its repository, beginning with 1."""
    kind: str
    """The kind of fault, such as `status`."""


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request to a repository, and the server's response."""

    method: str
    """GET, HEAD or POST; CONNECT for an https connection to another host."""
    path: str
    """The path of the URL. For a request to another host, the whole URL."""
    project: str | None
    """The normalized name of the requested project, if any."""
    filename: str | None
    """The name of the requested or uploaded file, if any."""
    user: str | None
    """The user name, or None without valid credentials.

    For a token, it is `token` and the token's ID, or the trusted publisher.
    """
    user_agent: str
    """The User-Agent header."""
    status: int
    """The status code of the response; 0 if a fault reset the connection before it."""
    reason: str
    """The reason phrase of the response, which explains why a request was rejected."""
    bytes_sent: int
    """The size of the response body, in bytes."""
    seconds: float
    """The time from the request until the end of the response, in seconds."""
    form: Mapping[str, Any] | None
    """The form fields of an upload, each with a list of values, without the file and secrets."""
    kind: str | None = None
    """The kind of the request, such as `upload`.

    It is `root`, `page`, `file`, `metadata`, `json`, `provenance`, `upload` or
    `trusted-publishing`, or `blocked` for a host that is not allowed.
    """
    error: str | None = None
    """Why the request was rejected. Some dialects do not send this reason to the client."""
    rule: str | None = None
    """The name of PyPI's rule that an upload breaks."""
    advice: str | None = None
    """How to correct the upload that breaks this rule."""
    faults: Sequence[FiredFault] = ()
    """The faults that changed the response."""
    upstreams: Sequence[str] = ()
    """The upstreams from which the server requested the project, without passwords."""
    headers: Headers = field(default_factory=Headers)
    """The headers of the request. Their names are not case-sensitive. Secrets are masked, as in
    `Authorization: Basic ***`."""
    arrived: float = 0.0
    """When the request arrived, in seconds since the epoch."""

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Request:
        """Return the request that an entry of the server's journal describes."""
        # A server of an earlier version does not have all fields.
        values = {each.name: entry[each.name] for each in fields(cls) if each.name in entry}
        faults = tuple(
            FiredFault(fault["number"], fault["kind"]) for fault in values.pop("faults", ())
        )
        headers = Headers((name, value) for name, value in values.pop("headers", ()))
        return cls(**values, faults=faults, headers=headers)

    @property
    def authorized(self) -> bool:
        """Whether the request carried a login in the header `Authorization`, valid or not."""
        return "Authorization" in self.headers

    @property
    def refused(self) -> bool:
        """Whether the request was rejected, with a status code of 400 or higher."""
        return self.status >= HTTPStatus.BAD_REQUEST

    @property
    def outcome(self) -> str:
        """The status and the reason, with the faults and upstreams that affected the response."""
        reason = self.error or self.reason
        if self.kind == "blocked":
            return f"{self.status} blocked: {reason}"
        marks = [f"fault #{fault.number}: {fault.kind}" for fault in self.faults]
        decisive = next((fault for fault in self.faults if fault.kind in DECISIVE_FAULTS), None)
        if decisive is None:
            text = f"{self.status} {reason}"
        else:
            marks = [mark for mark in marks if not mark.startswith(f"fault #{decisive.number}:")]
            text = self._outcome_of_fault(decisive)
        if self.upstreams and not all(name in reason for name in self.upstreams):
            marks.append(f"queried upstream {', '.join(self.upstreams)}")
        return f"{text.rstrip('.')} ({'; '.join(marks)})" if marks else text

    def _outcome_of_fault(self, fault: FiredFault) -> str:
        if fault.kind == "reset":
            status = f"{self.status}, then" if self.status else "no response:"
            return f"{status} connection reset by fault #{fault.number}"
        text = f"{self.status} by fault #{fault.number}"
        # Without a reason of its own, a fault repeats the status.
        has_reason = self.reason and not self.reason.startswith("Fault: status")
        return f"{text}: {self.reason}" if has_reason else text

    def __repr__(self) -> str:
        return f"<Request {self}>"

    def __str__(self) -> str:
        name = self.filename or self.project
        subject = f" {name}" if name and name not in self.path else ""
        return f"{self.method} {self.path}{subject}: {self.outcome}"


class Journal(list[Request]):
    """The requests that a repository had received when you read `requests`, oldest first."""

    def __init__(self, requests: Iterable[Request], clear: Callable[[], None]) -> None:
        super().__init__(requests)
        self._clear = clear

    def uploads(self) -> list[Request]:
        """Return the POST requests to a repository: uploads, accepted or rejected."""
        return [
            request
            for request in self
            if request.method == "POST" and not request.path.startswith(_TRUSTED_PUBLISHING)
        ]

    def downloads(self, project: str | None = None) -> list[Request]:
        """Return the GET requests for distributions, successful or not.

        Requests for core metadata files are not included.

        Args:
            project: the project to which the files belong; by default any project.
        """
        from packaging.utils import canonicalize_name  # few tests call this method

        name = None if project is None else canonicalize_name(project)
        return [
            request
            for request in self
            if request.method == "GET"
            and request.filename is not None
            and not request.path.endswith(".metadata")
            and (name is None or request.project == name)
        ]

    def clear(self) -> None:
        """Remove all requests from this list and from the server's journal."""
        self._clear()
        super().clear()


def describe_rejected(requests: Iterable[Request]) -> str:
    """Return a line for each of the newest rejected requests, or an empty string if there are none.

    Equal requests in a row share one line.
    """
    lines = [
        (line, sum(1 for _ in equal))
        for line, equal in groupby(str(request) for request in requests if request.refused)
    ]
    return "\n".join(line + repeated(times) for line, times in lines[-_DESCRIBED_REQUESTS:])


def repeated(times: int) -> str:
    """Return the end of a line that stands for several equal requests."""
    return f" ×{times}" if times > 1 else ""  # noqa: RUF001 - not the letter x
