"""What a repository was asked and what it answered."""

from __future__ import annotations

from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SHOWN = 50


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One request that a repository answered."""

    method: str
    """GET, HEAD or POST."""
    path: str
    """What it asked for; a URL where it tried to reach another host."""
    project: str | None
    """The project's normalized name, where it is about one."""
    filename: str | None
    """The file's name, where it asks for a file or brings one."""
    user: str | None
    """The user's e-mail address; None where nobody logged in, or in vain."""
    user_agent: str
    """What the program says of itself."""
    status: int
    """The answer's status code."""
    reason: str
    """The answer's reason phrase, which says why where it is a no."""
    bytes_sent: int
    """The size of the answer's body."""
    seconds: float
    """How long the answer took."""
    form: Mapping[str, Any] | None
    """An upload's fields, each with all its values, but for the file and what is secret."""

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Request:
        """The request that an entry of the server's journal describes."""
        return cls(**{field.name: entry[field.name] for field in fields(cls)})

    @property
    def refused(self) -> bool:
        """Whether the answer was a no."""
        return self.status >= HTTPStatus.BAD_REQUEST

    def __repr__(self) -> str:
        return f"<Request {self}>"

    def __str__(self) -> str:
        name = self.filename or self.project
        what = f" {name}" if name and name not in self.path else ""
        return f"{self.method} {self.path}{what}: {self.status} {self.reason}"


class Journal(list[Request]):
    """The requests that a repository answered, oldest first, as they were when it was asked."""

    def __init__(self, requests: Iterable[Request], forget: Callable[[], None]) -> None:
        super().__init__(requests)
        self._forget = forget

    def uploads(self) -> list[Request]:
        """Those that brought a file, refused or not."""
        return [request for request in self if request.method == "POST"]

    def downloads(self, project: str | None = None) -> list[Request]:
        """Those that asked for a file, of this project if one is given, answered or not."""
        return [
            request
            for request in self
            if request.method == "GET"
            and request.filename is not None
            and not request.path.endswith(".metadata")
            and (project is None or request.project == normalized(project))
        ]

    def clear(self) -> None:
        """Forget all requests, here and in the repository."""
        self._forget()
        super().clear()

    def table(self, *, below: str = "", user: str | None = None) -> str:
        """The newest requests, one a line: what was asked, by whom, and the answer.

        Args:
            below: the part of the paths that need not be said.
            user: likewise the user.
        """
        shown = self[-SHOWN:]
        rows = [
            (
                request.method,
                request.path.removeprefix(below) or "/",
                ""
                if request.filename is None or request.filename in request.path
                else request.filename,
                "" if request.user == user else request.user or "nobody",
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
            lines.insert(0, f"({len(self) - len(shown)} earlier requests)")
        return "\n".join(lines)


def normalized(project: str) -> str:
    """A project's name as the index uses it."""
    from packaging.utils import canonicalize_name  # few tests name a project

    return canonicalize_name(project)
