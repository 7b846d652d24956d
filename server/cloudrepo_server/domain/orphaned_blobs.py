"""Blobs that no document refers to.

Another server may make a file visible at any moment. So the blobs to delete are found in two
passes. The first finds candidates, and clients get time to finish their downloads. Then the
deletion is announced, and the second pass keeps what has become referenced; see
`Maintenance.announce_deletion`.
"""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections.abc import AsyncIterator

from cloudrepo_server.errors import StorageError
from cloudrepo_server.keys import blobs_of, projects_of
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.storage import Storage

_BUCKETS = 4096
_CONCURRENT_READS = 16


class OrphanedBlobs:
    """The blobs of repositories that no document refers to, and that are old enough."""

    def __init__(self, storage: Storage, *, written_before: float) -> None:
        self._storage = storage
        self._written_before = written_before
        self._candidates: dict[str, list[str]] = {}

    async def find(self, repository_id: str) -> None:
        """Find the orphaned blobs of a repository.

        Raises:
            StorageError: a document cannot be read, or the store did not respond.
        """
        referenced = await self._referenced(repository_id)
        candidates = []
        async for batch in self._storage.list_objects(blobs_of(repository_id)):
            for stored in batch:
                young = stored.modified > self._written_before
                own = self._storage.is_own_write(stored.key)
                if not (young or own or stored.key in referenced):
                    candidates.append(stored.key)
            await asyncio.sleep(0)
        if candidates:
            self._candidates[repository_id] = candidates

    def __bool__(self) -> bool:
        """Return whether blobs were found that are not deleted yet."""
        return bool(self._candidates)

    async def delete(self) -> tuple[int, list[str]]:
        """Delete the blobs that are still orphaned.

        Return their number, and the ids of repositories whose blobs were kept because a document
        cannot be read.

        Raises:
            StorageError: the store did not respond.
        """
        deleted = 0
        unreadable = []
        while self._candidates:
            repository_id, candidates = self._candidates.popitem()
            announcement = await self._storage.announce_deletion(
                repository_id, written_before=self._written_before
            )
            orphaned: list[str] = []
            try:
                referenced = await self._referenced(repository_id)
                orphaned += (key for key in candidates if key not in referenced)
            except StorageError:
                unreadable.append(repository_id)
            confirmed = await self._storage.delete_many(orphaned)
            deleted += confirmed
            if confirmed == len(orphaned):
                # Otherwise the announcement stays: the store may still delete more blobs.
                with contextlib.suppress(StorageError):
                    await self._storage.withdraw_deletion(announcement)
        return deleted, unreadable

    async def _referenced(self, repository_id: str) -> _KeySet:
        referenced = _KeySet()
        keys = [key async for key in list_keys(self._storage, projects_of(repository_id))]
        for start in range(0, len(keys), _CONCURRENT_READS):
            reads = (
                self._storage.read_uncached(key, ProjectDocument)
                for key in keys[start : start + _CONCURRENT_READS]
            )
            for project in await asyncio.gather(*reads):
                for file in () if project is None else project.files.values():
                    for blob in file.blobs:
                        referenced.add(blob)
            # Let the server handle requests in between.
            await asyncio.sleep(0)
        return referenced


async def list_keys(storage: Storage, prefix: str) -> AsyncIterator[str]:
    """Yield the keys below a prefix, in no particular order.

    Raises:
        StorageError: the store did not respond.
    """
    async for batch in storage.list_objects(prefix):
        for stored in batch:
            yield stored.key


class _KeySet:
    """A set of keys that stores a 64-bit hash of each, because a store may hold millions.

    It treats keys with the same hash as the same key. In that rare case an orphaned blob is kept,
    which is harmless.
    """

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]

    def add(self, key: str) -> None:
        self._bucket(key).append(hash(key))

    def __contains__(self, key: str) -> bool:
        return hash(key) in self._bucket(key)

    def _bucket(self, key: str) -> array[int]:
        return self._buckets[hash(key) % _BUCKETS]
