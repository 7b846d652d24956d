"""The journal: the requests that a repository received, with their responses."""

from __future__ import annotations

from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

TABLE_ROWS = 50
# The beginning of the paths at which tokens are exchanged.
_TRUSTED_PUBLISHING = "/_/oidc/"


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
    """The user's e-mail address; None without valid credentials."""
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

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Request:
        """Return the request that an entry of the server's journal describes."""
        return cls(**{field.name: entry[field.name] for field in fields(cls)})

    @property
    def refused(self) -> bool:
        """Whether the request was rejected, with a status code of 400 or higher."""
        return self.status >= HTTPStatus.BAD_REQUEST

    def __repr__(self) -> str:
        return f"<Request {self}>"

    def __str__(self) -> str:
        name = self.filename or self.project
        subject = f" {name}" if name and name not in self.path else ""
        return f"{self.method} {self.path}{subject}: {self.status} {self.reason}"


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
        return [
            request
            for request in self
            if request.method == "GET"
            and request.filename is not None
            and not request.path.endswith(".metadata")
            and (project is None or request.project == normalized(project))
        ]

    def clear(self) -> None:
        """Remove all requests from this list and from the server's journal."""
        self._clear()
        super().clear()

    def table(self, *, path_prefix: str = "", default_user: str | None = None) -> str:
        """Return the newest requests as a table, one request per line.

        Args:
            path_prefix: the beginning of the paths, which the table leaves out.
            default_user: the user whose name the table leaves out.
        """
        shown = self[-TABLE_ROWS:]
        rows = [
            (
                request.method,
                request.path.removeprefix(path_prefix) or "/",
                ""
                if request.filename is None or request.filename in request.path
                else request.filename,
                "" if request.user == default_user else request.user or "unauthenticated",
                request.user_agent.partition(" ")[0],
                f"{request.status} {request.reason}",
            )
            for request in shown
        ]
        columns = [column for column in zip(*rows, strict=True) if any(column)]
        widths = [max(map(len, column)) for column in columns]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in zip(*columns, strict=True)
        ]
        if len(self) > len(shown):
            lines.insert(0, f"({len(self) - len(shown)} earlier requests are not shown)")
        return "\n".join(lines)


def normalized(project: str) -> str:
    """Return the normalized name of a project."""
    from packaging.utils import canonicalize_name  # few tests name a project

    return canonicalize_name(project)
