"""One change of a document in a store that others write to, however often it is tried."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable
from typing import TypeVar

from cloudrepo_server.errors import StorageError, UncertainError
from cloudrepo_server.storage.interface import Document

S = TypeVar("S")

_CONFLICTS = 30
_FAILURES = 1
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5
_REMEMBERED = 16


class Attempt:
    """One change of a document, however often it is tried."""

    def __init__(self) -> None:
        self._tried: set[str] = set()
        self._conflicts = 0
        self._failures = 0

    def next_revision(self) -> str:
        """The revision of what is tried now."""
        revision = secrets.token_hex(8)
        self._tried.add(revision)
        return revision

    def succeeded(self, document: Document | None, tombstone: str) -> bool:
        """Whether what was tried is there: its answer was lost, or the store was asked twice."""
        return not self._tried.isdisjoint((tombstone, *earlier_of(document, "")))

    async def ask(self, answer: Awaitable[S]) -> S:
        """What is stored.

        Raises:
            StorageError: the store did not answer.
            UncertainError: likewise, and what became of a try before is not known.
        """
        try:
            return await answer
        except StorageError as error:
            if self._failures:
                raise _uncertain() from error
            raise

    def conflict(self) -> None:
        """Note that somebody was quicker.

        Raises:
            StorageError: it was so too often.
            UncertainError: likewise, and what became of a try before is not known.
        """
        self._conflicts += 1
        if self._conflicts > _CONFLICTS:
            if self._failures:
                raise _uncertain()
            raise StorageError("too many want to change the same at once; nothing was changed")

    def failure(self, error: Exception) -> None:
        """Note that the store did not say what it did.

        Raises:
            UncertainError: it was so too often.
        """
        self._failures += 1
        if self._failures > _FAILURES:
            raise _uncertain() from error

    async def pause(self) -> None:
        """Let others go first, each another while."""
        longest = min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2**self._conflicts)
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 (no secret)


def earlier_of(document: Document | None, tombstone: str) -> tuple[str, ...]:
    """The revisions before the next one, the newest first: a document's, or that of its removal."""
    if document is not None:
        return (document.revision, *document.earlier)[:_REMEMBERED]
    return (tombstone,) if tombstone else ()


def _uncertain() -> UncertainError:
    return UncertainError("the storage did not answer; it may have taken the change, or not")
