"""The journal: the requests that a repository received, and its responses."""

import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from operator import attrgetter
from time import time
from typing import Any, Literal

import msgspec

from cloudrepo_server.errors import truncate
from cloudrepo_server.limits import (
    JOURNAL_BYTES,
    JOURNAL_ENTRIES,
    JOURNAL_FORM_BYTES,
    JOURNAL_HEADER_BYTES,
    JOURNAL_TEXT,
)
from cloudrepo_server.logs.redaction import redacted_record
from cloudrepo_server.testkit.fault_kinds import RequestKind
from cloudrepo_server.testkit.faults import FiredFault

EntryKind = RequestKind | Literal["trusted-publishing", "blocked", "admin"]
"""The kind of a request.

The kinds that faults can match, and three more. `trusted-publishing` is the exchange of an identity
token. `blocked` is a request to another host that the proxy blocked. `admin` is a change by the
admin API or in the portal.
"""

_NO_HEADERS = msgspec.Raw(b"[]")
# Always recorded: tests check whether it was sent.
_AUTHORIZATION = "authorization"
# An entry without its texts. `JOURNAL_TEXT` is added for the reason and the error.
_ENTRY_BYTES = 512


# The garbage collector skips the requests, because they are in no reference cycle. Visiting 100,000
# of them would stop the server for a noticeable time.
class RequestDetails(msgspec.Struct, gc=False):
    """What the handlers found out about a request."""

    user: str | None = None
    repository: str | None = None
    """The name of the repository, if the request is for one."""
    project: str | None = None
    filename: str | None = None
    form: msgspec.Raw | None = None
    """The form's fields, encoded as JSON, which takes a fifth of the memory of a dict."""
    bytes_received: int = 0
    """The size of the request's body, as far as it was read."""
    bytes_sent: int = 0
    """The size of the response's body, as far as it was sent."""
    kind: EntryKind | None = None
    faults: Sequence[FiredFault] = ()
    """The faults that changed the response."""
    upstreams: Sequence[str] = ()
    """The upstreams that the server queried, in order; without passwords."""


class Entry(RequestDetails, kw_only=True):
    """One request and its response.

    The entry is added when the request arrives. It is complete when `status` is set, which happens
    before the response is sent.
    """

    method: str
    path: str
    user_agent: str
    query: str = ""
    """The query string, without its question mark; secrets are masked."""
    headers: msgspec.Raw | None = None
    """The names and values of the request's headers as JSON; secrets are masked."""
    arrived: float = msgspec.field(default_factory=time)
    """Seconds since the epoch."""
    status: int | None = None
    reason: str = ""
    error: str | None = None
    """Why the request was rejected. Some dialects do not show this to the client."""
    rule: str | None = None
    """The name of PyPI's rule that an upload breaks."""
    advice: str | None = None
    """How to correct a release that breaks this rule."""
    seconds: float = 0.0
    number: int = 0
    """The number in its journal. Requests are numbered from 1, in the order of arrival."""
    settled: int = 0
    """The position among all requests that were moved to a queue; 0 for a request in flight."""
    published: int = 0
    """The number in the feed; 0 until the request is complete."""

    def repeated(self) -> "Entry":
        """Return the entry of an equal request that arrives now and gets the same response."""
        entry = copy(self)
        entry.arrived = time()
        entry.number = entry.settled = entry.published = 0
        return entry

    @property
    def size(self) -> int:
        """The memory that the entry takes, approximately."""
        texts = (
            self.method,
            self.path,
            self.query,
            self.user_agent,
            self.user or "",
            self.project or "",
            self.filename or "",
            *self.upstreams,
            b"" if self.form is None else bytes(self.form),
            b"" if self.headers is None else bytes(self.headers),
        )
        # One character outside of ASCII makes each character of its text larger.
        return _ENTRY_BYTES + JOURNAL_TEXT + sum(map(sys.getsizeof, texts))

    def as_json(self) -> dict[str, Any]:
        """Return the entry as the admin API returns it."""
        return {
            "kind": self.kind,
            "arrived": self.arrived,
            "method": self.method,
            "path": self.path,
            "project": self.project,
            "filename": self.filename,
            "user": self.user,
            "user_agent": self.user_agent,
            "status": self.status,
            "reason": self.reason,
            "error": self.error,
            "rule": self.rule,
            "advice": self.advice,
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
            "seconds": round(self.seconds, 6),
            "faults": self.faults,
            "upstreams": self.upstreams,
            "headers": _NO_HEADERS if self.headers is None else self.headers,
            "form": self.form,
        }


class EntryQueue:
    """Completed requests, limited in number and in size: the oldest ones are dropped."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._sizes: deque[int] = deque()
        self.bytes = 0
        """The memory that the requests take, approximately."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __reversed__(self) -> Iterator[Entry]:
        return reversed(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> int:
        """Add a request, drop the oldest ones beyond a limit, and return the request's size."""
        size = entry.size
        self._entries.append(entry)
        self._sizes.append(size)
        self.bytes += size
        while len(self._entries) > JOURNAL_ENTRIES or self.bytes > JOURNAL_BYTES:
            self.drop_oldest()
        return size

    def drop_oldest(self) -> None:
        """Drop the oldest request."""
        self._entries.popleft()
        self.bytes -= self._sizes.popleft()

    def clear(self) -> None:
        """Delete all requests."""
        self._entries.clear()
        self._sizes.clear()
        self.bytes = 0


class Journal:
    """The newest requests of one repository.

    Requests without a known user have a queue of their own, so they never displace users' requests.
    """

    def __init__(self) -> None:
        self.last = 0
        """The number of the newest request; numbers are never used again."""
        self._in_flight: dict[int, Entry] = {}
        self.users, self.anonymous = EntryQueue(), EntryQueue()

    def add(self, entry: Entry) -> None:
        """Add a request that has arrived."""
        self.last += 1
        entry.number = self.last
        self._in_flight[entry.number] = entry

    def settle(self, entry: Entry, *, anonymous: bool) -> int | None:
        """Move a request from the in-flight ones to its queue, once its user and form are known.

        Return the memory that the request takes, or None if the journal was cleared since the
        request arrived.
        """
        if self._in_flight.pop(entry.number, None) is not entry:
            return None
        # Both are usually empty, and all empty tuples are the same object.
        entry.faults, entry.upstreams = tuple(entry.faults), tuple(entry.upstreams)
        return (self.anonymous if anonymous else self.users).add(entry)

    @property
    def entries(self) -> list[Entry]:
        """The requests, oldest first."""
        found = [*self.users, *self.anonymous, *self._in_flight.values()]
        return sorted(found, key=attrgetter("number"))

    def find(self, number: int) -> Entry | None:
        """Return the request with a number if it has a response, or None."""
        found = (entry for queue in (self.users, self.anonymous) for entry in queue)
        return next(
            (each for each in found if each.number == number and each.status is not None), None
        )

    def completed(self, *, after: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the requests that have a response as JSON, oldest first.

        Args:
            after: return only requests with a higher number than this.
            limit: return at most this many requests, the newest ones.
        """
        completed = [
            entry for entry in self.entries if entry.number > after and entry.status is not None
        ]
        if limit is not None:
            completed = completed[max(0, len(completed) - limit) :]
        return [entry.as_json() for entry in completed]

    def clear(self) -> None:
        """Delete all requests; their numbers are not used again."""
        self._in_flight.clear()
        self.users.clear()
        self.anonymous.clear()


def encode_form(fields: dict[str, list[str]]) -> msgspec.Raw:
    """Return a form's fields as JSON, without secrets.

    Long values are truncated, and fields beyond the size limit are left out.
    """
    # Few forms contain secrets, and searching one long text is faster than searching many short
    # ones. So all names and values are searched as one text first, and one by one only if this
    # text contains a secret. The line breaks do not hide a secret that is inside a single value.
    kept = _bounded_form(fields, str)
    text = "\n".join(itertools.chain(kept, *kept.values()))
    if redacted_record(text) != text:
        kept = _bounded_form(fields, redacted_record)
    return msgspec.Raw(msgspec.json.encode(kept))


def _bounded_form(
    fields: dict[str, list[str]], redact: Callable[[str], str]
) -> dict[str, list[str]]:
    """Return the first fields, up to the size limit, with redacted names and values."""
    kept: dict[str, list[str]] = {}
    size = 2
    for name, values in fields.items():
        field = {redact(name): [redact(truncate(value, JOURNAL_TEXT)) for value in values]}
        size += len(msgspec.json.encode(field))
        if size > JOURNAL_FORM_BYTES:
            break
        kept |= field
    return kept


@lru_cache(maxsize=256)
def encode_headers(headers: tuple[tuple[str, str], ...]) -> msgspec.Raw:
    """Return masked headers as JSON: long values truncated, headers beyond the limit left out.

    The header `Authorization` is never left out.

    Most requests of a client have the same headers. They share one JSON text in memory.
    """
    kept: list[tuple[str, str]] = []
    size = 2
    for name, value in headers:
        header = (name, truncate(value, JOURNAL_TEXT))
        size += len(msgspec.json.encode(header)) + 1
        if size <= JOURNAL_HEADER_BYTES or name.lower() == _AUTHORIZATION:
            kept.append(header)
    return msgspec.Raw(msgspec.json.encode(kept))
