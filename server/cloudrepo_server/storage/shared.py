"""The storage that several servers write to: S3, Google Cloud Storage, Azure, or compatible."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import obstore
from obstore.exceptions import BaseError

from cloudrepo_server.errors import DamagedDocumentError, StorageError, StorageLostError
from cloudrepo_server.keys import (
    announcements_of,
    blobs_of,
    claims_of,
    projects_of,
    serials_of,
    used_identities_of,
)
from cloudrepo_server.models import Document
from cloudrepo_server.storage.background import BackgroundTasks
from cloudrepo_server.storage.base import Storage
from cloudrepo_server.storage.failures import storage_errors
from cloudrepo_server.storage.retries import tombstone_of
from cloudrepo_server.storage.shared_blobs import SharedBlobs
from cloudrepo_server.storage.shared_documents import (
    CONCURRENT_READS,
    PURGE_MARK,
    PURGE_SECONDS,
    TOMBSTONE_BYTES,
    SharedDocuments,
    if_unchanged,
)

if TYPE_CHECKING:
    from cloudrepo_server.storage.objects import Store
    from cloudrepo_server.storage.shared_blobs import RemoteStore

READY = "checks/ready"
"""The key of an object that exists in every store that a server has used."""

# If the machine was suspended between the mark and the deletion, a writer may no longer wait.
_SUSPENDED_SECONDS = PURGE_SECONDS / 2
# The age of an announcement whose garbage collection was killed.
_ABANDONED_SECONDS = 7 * 86_400.0
_CLOSE_SECONDS = 5.0


class SharedStorage(SharedDocuments, SharedBlobs, Storage):
    """Storage that other servers write to as well."""

    shared: ClassVar[bool] = True

    def __init__(
        self,
        *,
        documents: RemoteStore,
        blobs: RemoteStore,
        bare_tags: bool = False,
        presigned: bool = False,
    ) -> None:
        """Use a store that supports conditional writes.

        Args:
            documents: the store, with timeouts that suit small objects.
            blobs: the same store, with timeouts that suit large objects.
            bare_tags: whether the store compares entity tags without their quotes.
            presigned: whether clients download blobs from the store itself.
        """
        tasks = BackgroundTasks()
        SharedDocuments.__init__(
            self, documents, listing_store=blobs, bare_tags=bare_tags, tasks=tasks
        )
        SharedBlobs.__init__(self, blobs, presigned=presigned, tasks=tasks)

    async def check(self) -> None:
        """Check that the store is available, and still the store that the server started with."""
        try:
            with storage_errors():
                await obstore.head_async(self._document_store, READY)
        except FileNotFoundError as error:
            raise StorageLostError(
                "the store was emptied or replaced since the server started: restart the server"
            ) from error

    async def close(self) -> None:
        """Wait a moment for deletions that have started; leave later ones to garbage collection."""
        self._cancel_deletes()
        await self._tasks.close(grace=_CLOSE_SECONDS)

    async def current_time(self) -> float:
        """Return the time of the store, which may differ from this machine's."""
        with storage_errors():
            await obstore.put_async(self._document_store, READY, b"")
            ready = await obstore.head_async(self._document_store, READY)
        return ready["last_modified"].timestamp()

    async def delete_repository_objects(self, repository_id: str) -> None:
        """Delete everything that a deleted repository contained, a few objects at a time.

        Its documents need no tombstones: no other repository ever has the same id.
        """
        folders = (
            projects_of,
            claims_of,
            serials_of,
            used_identities_of,
            blobs_of,
            announcements_of,
        )
        for folder in folders:
            prefix = folder(repository_id)
            with contextlib.suppress(StorageError, OSError):
                async for batch in self.list_objects(prefix):
                    await self.delete_many([each.key for each in batch])

    async def purge_tombstones(self, prefix: str, *, before: float) -> int:
        """Delete tombstones below `prefix` that are older than `before`; return their number."""
        now = await self.current_time()
        slots = asyncio.Semaphore(CONCURRENT_READS)
        purged = 0

        async def purge(key: str) -> bool:
            async with slots:
                return await self._purge_tombstone(key, marked_before=now - 2 * PURGE_SECONDS)

        async for batch in self.list_objects(prefix):
            old = [
                each for each in batch if each.size <= TOMBSTONE_BYTES and each.modified < before
            ]
            purged += sum(await asyncio.gather(*(purge(each.key) for each in old)))
        return purged

    async def announce_deletion(self, repository_id: str, *, written_before: float) -> str:
        """Announce the deletion of unreferenced blobs to other servers; return the announcement."""
        folder = announcements_of(repository_id)
        ages = await self.ages(folder)
        key = f"{folder}{written_before:.6f}-{secrets.token_hex(8)}"
        with storage_errors():
            await obstore.put_async(self._document_store, key, b"", use_multipart=False)
        await self.delete_many([key for key, age in ages.items() if age > _ABANDONED_SECONDS])
        return key

    async def withdraw_deletion(self, announcement: str) -> None:
        """Withdraw an announcement, after all deletions were confirmed."""
        with storage_errors(), contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._document_store, announcement)

    async def announced_deletion(self, repository_id: str) -> float:
        """Return the latest `written_before` of the announcements of a repository."""
        folder = announcements_of(repository_id)
        announced = [
            float(each.key.removeprefix(folder).partition("-")[0])
            async for batch in self.list_objects(folder)
            for each in batch
        ]
        return max(announced, default=-math.inf)

    async def _purge_tombstone(self, key: str, *, marked_before: float) -> bool:
        try:
            stored = await self._fetch(key, Document, None)
        except DamagedDocumentError:
            return False
        if stored.document is not None or stored.version is None:
            return False
        if stored.purging and stored.modified > marked_before:
            # Another sweep is about to delete this tombstone. If both did, the second deletion
            # could hit a document that was created in between.
            return False
        started = monotonic()
        try:
            await obstore.put_async(
                self._document_store,
                key,
                PURGE_MARK + tombstone_of(stored.history, secrets.token_hex(8)).encode(),
                mode=if_unchanged(stored.version, bare_tags=self._bare_tags),
                use_multipart=False,
            )
            if monotonic() - started > _SUSPENDED_SECONDS:
                return False
            await obstore.delete_async(self._document_store, key)
        except (BaseError, OSError):
            return False
        return True

    def _store_of(self, prefix: str) -> Store:  # noqa: ARG002 (part of the interface)
        # A long listing needs the longer timeouts of the store for blobs.
        return self._blob_store
