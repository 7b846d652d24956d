"""What a repository was asked and answered."""

from collections import deque
from itertools import islice
from time import time
from typing import Any

import msgspec

MAX_ENTRIES = 10_000
MAX_FORM_VALUE = 1024


class Entry(msgspec.Struct):
    """One request; it is complete once `status` is there, which is before the answer leaves.

    `arrived` is seconds since the epoch.
    """

    method: str
    path: str
    user_agent: str
    arrived: float = msgspec.field(default_factory=time)
    project: str | None = None
    filename: str | None = None
    user: str | None = None
    status: int | None = None
    reason: str = ""
    bytes_sent: int = 0
    seconds: float = 0.0
    form: msgspec.Raw | None = None
    """As JSON, which takes a fifth of the memory."""

    def as_json(self) -> dict[str, Any]:
        """The entry as the admin API gives it."""
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
    """The newest requests to one repository, oldest first."""

    entries: deque[Entry] = msgspec.field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    last: int = 0
    """The number of the newest request. Requests are numbered from 1, in the order of arrival."""

    def add(self, entry: Entry) -> None:
        """Add a request at its arrival; the oldest gives way."""
        self.entries.append(entry)
        self.last += 1

    def answered(self, *, after: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the completed requests as JSON, oldest first.

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
        """Remove all entries; numbers are not used again."""
        self.entries.clear()


def encode_form(fields: dict[str, list[str]]) -> msgspec.Raw:
    """A form's fields, long ones (descriptions) cut."""
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
