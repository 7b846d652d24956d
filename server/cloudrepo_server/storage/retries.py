"""One change of a document in a store that others write to, however often it is tried."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Iterator
from typing import TypeVar

from cloudrepo_server.errors import CloudRepoServerError, StorageError, UncertainError
from cloudrepo_server.models import Document

S = TypeVar("S")

_CONFLICTS = 30
_FAILURES = 1
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5
# More than others change between a look at a document and a try, which is two requests.
_REMEMBERED, _REMEMBERED_BY_TOMBSTONES = 32, 4


class Attempt:
    """One change of a document, however often it is tried."""

    def __init__(self) -> None:
        self._tried: set[str] = set()
        self._conflicts = 0
        self._failures = 0
        # What a try was made on that may have been taken, or may still be.
        self._unsure: frozenset[str] = frozenset()

    def next_revision(self) -> str:
        """The revision of what is tried now."""
        revision = secrets.token_hex(8)
        self._tried.add(revision)
        return revision

    def succeeded(self, lineage: tuple[str, ...]) -> bool:
        """Whether what was tried is there: its answer was lost, or the store was asked twice.

        Raises:
            StorageError: somebody else was quicker too often.
            UncertainError: there were so many changes since that nobody can tell.
        """
        if not self._tried.isdisjoint(lineage):
            return True
        if self._unsure and self._unsure.isdisjoint(lineage):
            # To do it again might undo what others have done with it.
            raise _uncertain()
        if lineage[0] not in self._unsure:
            # It was tried on something that has gone, so it will not be taken later.
            self._unsure = frozenset()
        if self._conflicts > _CONFLICTS:
            raise StorageError("too many want to change the same at once; nothing was changed")
        return False

    async def ask(self, answer: Awaitable[S]) -> S:
        """What is stored.

        Raises:
            StorageError: the store did not answer.
            UncertainError: likewise, and what became of a try before is not known.
        """
        try:
            return await answer
        except StorageError as error:
            if self._tried:
                raise _uncertain() from error
            raise

    @contextlib.contextmanager
    def deciding(self) -> Iterator[None]:
        """Let a change be refused, unless it may be done.

        Raises:
            UncertainError: what became of a try before is not known.
        """
        try:
            yield
        except CloudRepoServerError as error:
            if self._unsure:
                raise _uncertain() from error
            raise

    def conflict(self, *, on: frozenset[str]) -> None:
        """Note that what had one of these revisions had changed.

        It may be by this very try: where an answer is lost, obstore asks again, and hears that.
        """
        self._conflicts += 1
        self._unsure = on

    def failure(self, error: Exception, *, on: frozenset[str]) -> None:
        """Note that the store did not say what it did with a try on one of these revisions.

        Raises:
            UncertainError: it was so too often.
        """
        self._failures += 1
        self._unsure = on
        if self._failures > _FAILURES:
            raise _uncertain() from error

    async def pause(self) -> None:
        """Let others go first, each another while."""
        longest = min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2**self._conflicts)
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 (no secret)


def lineage_of(document: Document | None, tombstone: str) -> tuple[str, ...]:
    """The revision of what is stored, and those before it, the newest first.

    It is that of a document, or of its removal; of nothing it is empty. So two of one name can be
    told from one that was changed, as far back as is remembered.
    """
    if document is not None:
        return (document.revision, *document.earlier)
    return tuple(tombstone.split(" "))


def remembered(lineage: tuple[str, ...]) -> tuple[str, ...]:
    """What a document tells of those before it."""
    return lineage[:_REMEMBERED]


def tombstone_of(lineage: tuple[str, ...], revision: str) -> str:
    """What stands in place of a document that was removed."""
    return " ".join((revision, *lineage[:_REMEMBERED_BY_TOMBSTONES]))


def _uncertain() -> UncertainError:
    return UncertainError("the storage did not answer; it may have taken the change, or not")
