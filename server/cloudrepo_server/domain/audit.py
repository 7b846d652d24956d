"""The list of changes: what was changed, by whom, when, and through which interface.

The journal keeps only the newest requests, so many downloads displace older changes. Changes are
therefore kept in a separate list with its own limits. A server with a data folder writes the list
to documents in the folder, and reads it at its start.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal

from cloudrepo_server.changes import Change
from cloudrepo_server.errors import DamagedDocumentError, truncate
from cloudrepo_server.keys import AUDIT, audit_key
from cloudrepo_server.limits import AUDIT_BYTES, AUDIT_ENTRIES, AUDIT_TEXT
from cloudrepo_server.logs.redaction import redacted_record
from cloudrepo_server.models import Document
from cloudrepo_server.storage import Storage
from cloudrepo_server.storage.background import BackgroundTasks

# The seconds between a change and its addition to a document of a data folder.
_WRITE_SECONDS = 1.0
ENTRIES_PER_DOCUMENT = 200

_ENTRY_BYTES = 256

Interface = Literal["index", "trust", "api", "portal"]
"""The part of the server that received the request."""


# The garbage collector skips changes: there are thousands, and they are in no reference cycle.
class AuditEntry(Change, frozen=True, kw_only=True, gc=False):
    """A change, and who made it."""

    number: int
    user: str | None
    interface: Interface

    @property
    def size(self) -> int:
        """The memory that the entry takes, approximately."""
        texts = (self.subject, self.detail, self.user or "", self.repository or "")
        return _ENTRY_BYTES + sum(map(sys.getsizeof, texts))


class AuditDocument(Document, frozen=True, kw_only=True):
    """Some consecutive changes, in a data folder."""

    entries: tuple[AuditEntry, ...]


class AuditList:
    """The newest changes that were made through this server."""

    def __init__(self, storage: Storage, tasks: BackgroundTasks) -> None:
        self._storage = storage
        self._tasks = tasks
        self._entries: deque[AuditEntry] = deque()
        self._bytes = 0
        self._last = 0
        self.is_kept = False
        """Whether the changes outlive the server."""
        self._is_writing = False
        self._written = 0
        """The number of the newest change that is in a document."""

    @property
    def entries(self) -> Sequence[AuditEntry]:
        """The changes, newest first."""
        return list(reversed(self._entries))

    async def keep(self) -> None:
        """Read the changes that earlier servers wrote, and write all changes from now on.

        Raises:
            StorageError: the store did not respond.
        """
        for name in (await self._storage.listing(AUDIT)).names:
            try:
                document = await self._storage.read_uncached(AUDIT + name, AuditDocument)
            except DamagedDocumentError as error:
                self._storage.report_damage(error)
                continue
            for entry in () if document is None else document.entries:
                self._append(entry)
        self._written = self._last
        self.is_kept = True

    def record(
        self,
        changes: Iterable[Change],
        *,
        user: str | None,
        repository: str | None,
        interface: Interface,
    ) -> None:
        """Add the changes of a request. Secrets in them are hidden, and long texts truncated.

        Args:
            changes: the changes.
            user: the user of the request, or None.
            repository: the repository of the request, for changes that name none.
            interface: the part of the server that received the request.
        """
        for change in changes:
            self._append(
                AuditEntry(
                    number=self._last + 1,
                    kind=change.kind,
                    time=change.time,
                    repository=change.repository or repository,
                    subject=_recorded(change.subject),
                    detail=_recorded(change.detail),
                    user=None if user is None else _recorded(user),
                    interface=interface,
                )
            )
        if self.is_kept and not self._is_writing:
            self._is_writing = True
            self._tasks.start(self._write_later())

    async def close(self) -> None:
        """Write the changes that are not in a document yet."""
        if self.is_kept:
            await self._write()

    def _append(self, entry: AuditEntry) -> None:
        self._last = entry.number
        self._entries.append(entry)
        self._bytes += entry.size
        while len(self._entries) > AUDIT_ENTRIES or self._bytes > AUDIT_BYTES:
            self._bytes -= self._entries.popleft().size

    async def _write_later(self) -> None:
        try:
            await asyncio.sleep(_WRITE_SECONDS)
            await self._write()
        finally:
            self._is_writing = False

    async def _write(self) -> None:
        # Documents begin at multiples of their size, so that a restart continues the last one.
        begun = _document_of(self._written + 1)
        changed = [entry for entry in self._entries if entry.number >= begun]
        for start, group in groupby(changed, lambda entry: _document_of(entry.number)):
            entries = tuple(group)
            if entries[-1].number <= self._written:
                continue
            document = AuditDocument(entries=entries)

            def replace(_: AuditDocument | None, new: AuditDocument = document) -> AuditDocument:
                return new

            key = audit_key(start)
            # A damaged document is replaced, because the list must go on.
            await self._storage.delete_damaged(key, AuditDocument)
            await self._storage.change(key, AuditDocument, replace)
            self._written = entries[-1].number
        await self._delete_old()

    async def _delete_old(self) -> None:
        oldest = _document_of(self._entries[0].number) if self._entries else 0
        for name in (await self._storage.listing(AUDIT)).names:
            if AUDIT + name < audit_key(oldest):
                await self._storage.change(AUDIT + name, AuditDocument, lambda _: None)


def _document_of(number: int) -> int:
    return number // ENTRIES_PER_DOCUMENT * ENTRIES_PER_DOCUMENT


def _recorded(text: str) -> str:
    return redacted_record(truncate(text, AUDIT_TEXT))
