"""What a repository was asked and answered."""

from collections import deque
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

    def add(self, entry: Entry) -> None:
        """Add a request at its arrival; the oldest gives way."""
        self.entries.append(entry)

    def answered(self) -> list[dict[str, Any]]:
        """The requests that were answered, as JSON."""
        return [entry.as_json() for entry in self.entries if entry.status is not None]

    def clear(self) -> None:
        """Forget all requests."""
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
