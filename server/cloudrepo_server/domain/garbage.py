"""Removes what no document refers to: what servers leave that are killed on the way.

A file becomes visible by one change of a document, after its blobs are written; and it is gone by
one change, before they are removed. Whoever ends in between leaves blobs that nobody can reach.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass

from cloudrepo_server.domain.sessions import Sessions
from cloudrepo_server.errors import StorageError
from cloudrepo_server.keys import (
    BLOBS,
    DOCUMENTS,
    PROJECTS,
    REPOSITORIES,
    TOKENS,
    blobs_of,
    projects_of,
)
from cloudrepo_server.models import ProjectDocument, RepositoryDocument, TokenDocument
from cloudrepo_server.storage import Storage

_BUCKETS = 4096
_READ_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Swept:
    """How much was removed; `unread` are the repositories left alone, as a document was damaged."""

    blobs: int = 0
    repositories: int = 0
    tokens: int = 0
    sessions: int = 0
    gone: int = 0
    unfinished: int = 0
    unread: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything was removed."""
        removed = (self.blobs, self.repositories, self.tokens, self.sessions, self.gone)
        return any(removed) or bool(self.unfinished)

    def __str__(self) -> str:
        return (
            f"{self.blobs} blobs, {self.repositories} deleted repositories, {self.tokens} tokens, "
            f"{self.sessions} sessions, {self.gone} tombstones, {self.unfinished} unfinished files"
        )


async def sweep(storage: Storage, *, older_than: float = 0.0, grace: float = 0.0) -> Swept:
    """Remove what nothing refers to; others may read and write meanwhile.

    What this process writes is left alone. So is what is younger than `older_than` seconds, which
    must be longer than any upload takes where other processes write to the store. Who was shown a
    file that is no more has `grace` seconds to take it.

    Raises:
        StorageError: the store did not answer.
    """
    written_before = await storage.current_time() - older_than if older_than else None
    unfinished = await storage.delete_partial_files()
    # In this order, what is made meanwhile is not taken for lost.
    tokens = [key async for key in _keys(storage, TOKENS)]
    ids = set(await storage.list_folders(PROJECTS)) | set(await storage.list_folders(BLOBS))
    try:
        names = await _repositories(storage)
    except StorageError:
        # Whose repository cannot be read might be any of these.
        return Swept(unfinished=unfinished, unread=tuple(sorted(ids)))
    lost = sorted(ids - set(names))
    for each in lost:
        await storage.delete_repository_objects(each)
    lost_tokens = await _remove_tokens(storage, tokens, set(names))
    ended = await Sessions(storage).prune()
    blobs = 0
    waiting: list[str] = []
    unread: list[str] = []
    for each in sorted(ids & set(names)):
        try:
            waiting += await _lost_blobs(storage, each, written_before=written_before)
        except StorageError:
            unread.append(names[each])
        if not grace:
            blobs += await _remove(storage, waiting)
    if waiting:
        await asyncio.sleep(grace)
        blobs += await _remove(storage, waiting)
    gone = 0
    for prefix in DOCUMENTS:
        gone += await storage.purge_tombstones(prefix, before=written_before or time.time())
    return Swept(blobs, len(lost), lost_tokens, ended, gone, unfinished, tuple(unread))


async def _repositories(storage: Storage) -> dict[str, str]:
    names = {}
    async for key in _keys(storage, REPOSITORIES):
        document = await storage.read_uncached(key, RepositoryDocument)
        if document is not None:
            names[document.id] = document.name
    return names


async def _remove_tokens(storage: Storage, keys: list[str], repositories: set[str]) -> int:
    removed = 0
    for key in keys:
        try:
            token = await storage.read_uncached(key, TokenDocument)
        except StorageError:
            continue
        if token is not None and token.repository_id not in repositories:
            await storage.change(key, TokenDocument, lambda _: None)
            removed += 1
    return removed


async def _remove(storage: Storage, keys: list[str]) -> int:
    await storage.delete_many(keys)
    removed = len(keys)
    keys.clear()
    return removed


async def _lost_blobs(
    storage: Storage, repository: str, *, written_before: float | None
) -> list[str]:
    known = _Keys()
    keys = [key async for key in _keys(storage, projects_of(repository))]
    for start in range(0, len(keys), _READ_AT_ONCE):
        reads = (
            storage.read_uncached(key, ProjectDocument)
            for key in keys[start : start + _READ_AT_ONCE]
        )
        for project in await asyncio.gather(*reads):
            for file in () if project is None else project.files.values():
                for blob in file.blobs:
                    known.add(blob)
        # Requests go first.
        await asyncio.sleep(0)
    lost = []
    async for batch in storage.list_objects(blobs_of(repository)):
        for each in batch:
            young = written_before is not None and each.modified > written_before
            if not (young or each.key in known or storage.is_own_write(each.key)):
                lost.append(each.key)
        await asyncio.sleep(0)
    return lost


async def _keys(storage: Storage, prefix: str) -> AsyncIterator[str]:
    async for batch in storage.list_objects(prefix):
        for each in batch:
            yield each.key


class _Keys:
    """A set of keys in eight bytes each; once in 2**64 times it takes another for one of them."""

    def __init__(self) -> None:
        self._hashes = [array("q") for _ in range(_BUCKETS)]

    def add(self, key: str) -> None:
        self._of(key).append(hash(key))

    def __contains__(self, key: str) -> bool:
        return hash(key) in self._of(key)

    def _of(self, key: str) -> array[int]:
        return self._hashes[hash(key) % _BUCKETS]
