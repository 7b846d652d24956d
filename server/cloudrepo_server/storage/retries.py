"""Retries of a conditional write to a store with several writers.

A response can be lost after the store applied a write. Each write therefore carries a revision of
its own, and each document remembers some earlier revisions. A retry first looks for the revisions
that it sent. So no write is applied twice, and none is mistaken for another server's write.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import secrets
from collections.abc import Awaitable, Iterator
from typing import TypeVar

from cloudrepo_server.errors import CloudRepoServerError, StorageError, UncertainError
from cloudrepo_server.models import Document

T = TypeVar("T")

_MAX_CONFLICTS = 30
_MAX_FAILURES = 1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5
# How many earlier revisions a document and a tombstone keep. This assumes that other writers make
# fewer changes between our read and our write.
_EARLIER_IN_DOCUMENT, _EARLIER_IN_TOMBSTONE = 32, 4
# Revisions, separated by spaces. All but the first may be empty. The revision of a tombstone that
# is about to be purged begins with `PURGE_MARK`.
_TOMBSTONE = re.compile(rb"-?[0-9a-f]{16}( (-?[0-9a-f]{16})?)*")


class WriteRetries:
    """The state of one conditional write over all its retries.

    Two methods receive the `base_revisions` of a write. The write is applied only if the stored
    revision is one of these.
    """

    def __init__(self) -> None:
        self._sent: set[str] = set()
        self._conflicts = 0
        self._failures = 0
        # The base revisions of the last write whose outcome is unknown.
        self._unknown_outcome_of: frozenset[str] = frozenset()

    def new_revision(self) -> str:
        """Return the revision for the next write."""
        revision = secrets.token_hex(8)
        self._sent.add(revision)
        return revision

    def was_applied(self, history: tuple[str, ...]) -> bool:
        """Return whether an earlier write of ours was applied although its response was lost.

        Args:
            history: the revisions of what is stored now, the newest first.

        Raises:
            StorageError: other writers were faster too many times.
            UncertainError: too many changes followed to determine whether the write was applied.
        """
        if not self._sent.isdisjoint(history):
            return True
        if self._unknown_outcome_of and self._unknown_outcome_of.isdisjoint(history):
            # A repeated write could undo changes that others based on it.
            raise _uncertain()
        if history[0] not in self._unknown_outcome_of:
            # The base revision of that write was replaced, so it cannot be applied any more.
            self._unknown_outcome_of = frozenset()
        if self._conflicts > _MAX_CONFLICTS:
            raise StorageError(
                "too many concurrent changes of the same data; nothing was changed, try again"
            )
        return False

    async def read(self, pending: Awaitable[T]) -> T:
        """Return the result of a read that a write depends on.

        Raises:
            StorageError: the store did not respond.
            UncertainError: the store did not respond, and an earlier write may have been applied.
        """
        try:
            return await pending
        except StorageError as error:
            if self._sent:
                raise _uncertain() from error
            raise

    @contextlib.contextmanager
    def rejections(self) -> Iterator[None]:
        """Pass on the errors of a change, unless an earlier write of it may have been applied.

        Raises:
            UncertainError: the change was rejected, and the outcome of an earlier write is unknown.
        """
        try:
            yield
        except CloudRepoServerError as error:
            if self._unknown_outcome_of:
                raise _uncertain() from error
            raise

    def record_conflict(self, base_revisions: frozenset[str]) -> None:
        """Record that the store reported a change since our read.

        That change may be our own write: after a lost response, obstore repeats the request.
        """
        self._conflicts += 1
        self._unknown_outcome_of = base_revisions

    def record_failure(self, error: Exception, base_revisions: frozenset[str]) -> None:
        """Record that the store did not respond to a write.

        Raises:
            UncertainError: that happened too many times.
        """
        self._failures += 1
        self._unknown_outcome_of = base_revisions
        if self._failures > _MAX_FAILURES:
            raise _uncertain() from error

    async def back_off(self) -> None:
        """Sleep for a random time, which grows with the number of conflicts."""
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._conflicts)
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 (no secret)


def revision_history(document: Document | None, tombstone: str) -> tuple[str, ...]:
    """Return the revisions of a document or a tombstone, the newest first.

    If neither exists, the only revision is the empty string. With the history, a writer can tell a
    changed document from a new document under the same key.
    """
    if document is not None:
        return (document.revision, *document.earlier)
    return tuple(tombstone.split(" "))


def earlier_revisions(history: tuple[str, ...]) -> tuple[str, ...]:
    """Return the part of the history that the next revision of a document remembers."""
    return history[:_EARLIER_IN_DOCUMENT]


def tombstone_of(history: tuple[str, ...], revision: str) -> str:
    """Return the text of a tombstone, which replaces a deleted document."""
    return " ".join((revision, *history[:_EARLIER_IN_TOMBSTONE]))


def is_tombstone(text: bytes) -> bool:
    """Return whether a text is a tombstone, and not a document that was cut off."""
    return _TOMBSTONE.fullmatch(text) is not None


def _uncertain() -> UncertainError:
    return UncertainError("the store did not respond; the change may or may not have been applied")
