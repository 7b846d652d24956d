"""The journal: the requests that a repository received, and its responses."""

from collections import deque
from itertools import islice
from time import time
from typing import Any

import msgspec

MAX_ENTRIES = 10_000
MAX_FORM_VALUE = 1024


class RequestDetails(msgspec.Struct):
    """What the handlers found out about a request."""

    user: str | None = None
    project: str | None = None
    filename: str | None = None
    form: msgspec.Raw | None = None
    """The form's fields, encoded as JSON: this takes a fifth of the memory."""
    bytes_sent: int = 0
    """The size of the response's body, as far as it was sent."""


class Entry(RequestDetails, kw_only=True):
    """One request and its response.

    The entry is added when the request arrives. It is complete when `status` is set, which happens
    before the response is sent.
    """

    method: str
    path: str
    user_agent: str
    arrived: float = msgspec.field(default_factory=time)
    """Seconds since the epoch."""
    status: int | None = None
    reason: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the entry as the admin API returns it."""
        return {
            "method": self.method,
            "path": self.path,
            "project": self.project,
            "filename": self.filename,
            "user": self.user,
            "user_agent": self.user_agent,
            "status": self.status,
            "reason": self.reason,
            "bytes_sent": self.bytes_sent,
            "seconds": round(self.seconds, 6),
            "form": self.form,
        }


class Journal(msgspec.Struct):
    """The newest requests of one repository, oldest first."""

    entries: deque[Entry] = msgspec.field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))

    last: int = 0
    """The number of the newest request. Requests are numbered from 1, in the order of arrival."""

    def add(self, entry: Entry) -> None:
        """Add a request; a full journal drops its oldest request."""
        self.entries.append(entry)
        self.last += 1

    def completed(self, *, after: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the requests that have a response as JSON, oldest first.

        Args:
            after: return only requests with a higher number than this.
            limit: return at most this many requests, the newest ones.
        """
        before_first = self.last - len(self.entries)
        arrived = islice(self.entries, max(0, after - before_first), None)
        completed = [entry for entry in arrived if entry.status is not None]
        if limit is not None:
            completed = completed[max(0, len(completed) - limit) :]
        return [entry.as_json() for entry in completed]

    def clear(self) -> None:
        """Delete all requests; their numbers are not used again."""
        self.entries.clear()


def encode_form(fields: dict[str, list[str]]) -> msgspec.Raw:
    """Return a form's fields as JSON; long values, such as descriptions, are truncated."""
    return msgspec.Raw(
        msgspec.json.encode(
            {
                name: [
                    value if len(value) <= MAX_FORM_VALUE else value[:MAX_FORM_VALUE] + "..."
                    for value in values
                ]
                for name, values in fields.items()
            }
        )
    )
