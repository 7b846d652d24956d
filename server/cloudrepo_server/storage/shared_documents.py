"""The documents of a store that several servers write to.

A conditional write changes a document only if it is still as it was read; otherwise the change is
computed again from the current document. Stores have no conditional delete, so a tombstone replaces
a deleted document. A tombstone holds only revisions. Garbage collection purges old tombstones: it
marks each one first, so that a writer of the same key waits until the tombstone is deleted.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import msgspec
import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from cloudrepo_server.errors import DamagedDocumentError, StorageError
from cloudrepo_server.models import Document
from cloudrepo_server.storage.documents import (
    D,
    Documents,
    Listing,
    Versions,
    check_size,
    check_type,
    damaged,
    decode_document,
    encode_document,
)
from cloudrepo_server.storage.failures import storage_errors
from cloudrepo_server.storage.objects import StoredObject, list_objects
from cloudrepo_server.storage.read_cache import ReadCache, require_fresh, staleness_bound
from cloudrepo_server.storage.retries import (
    WriteRetries,
    earlier_revisions,
    is_tombstone,
    revision_history,
    tombstone_of,
)

if TYPE_CHECKING:
    from obstore import GetResult, PutMode, PutResult, UpdateVersion

    from cloudrepo_server.storage.background import BackgroundTasks
    from cloudrepo_server.storage.shared_blobs import RemoteStore

# Every document is larger and every tombstone smaller, so a listing distinguishes them by size.
TOMBSTONE_BYTES = 90
PURGE_MARK = b"-"
"""The first byte of a tombstone that is about to be deleted."""
PURGE_SECONDS = 20.0
"""The longest time between the mark and the deletion of a tombstone: two request timeouts."""
CONCURRENT_READS = 16

_CACHE_BYTES = 32 << 20
_LISTING_CACHE_BYTES = 8 << 20
_ENTRY_BYTES = 64


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What is stored under a key: a document, a tombstone, or nothing."""

    document: Document | None
    version: UpdateVersion | None = None
    """The version in the store, or None if nothing is stored."""
    size: int = 0
    """The size of the document in bytes."""
    tombstone: str = ""
    """The text of the tombstone, if there is one."""
    purging: bool = False
    """Whether the tombstone is about to be deleted."""
    modified: float = 0.0
    """When the tombstone was written, in seconds since the epoch."""

    @property
    def history(self) -> tuple[str, ...]:
        """The revision of the document or tombstone, then earlier revisions, newest first.

        If nothing is stored, the only revision is the empty string.
        """
        return revision_history(self.document, self.tombstone)

    @property
    def base_revisions(self) -> frozenset[str]:
        """The revisions that a write is based on.

        For a tombstone this includes the empty revision, because a purge may delete the tombstone
        at any time.
        """
        revision = self.history[0]
        return frozenset((revision,) if self.document is not None else (revision, ""))


class SharedDocuments(Documents):
    """Documents that other servers write too."""

    def __init__(
        self,
        store: RemoteStore,
        *,
        listing_store: RemoteStore,
        bare_tags: bool,
        tasks: BackgroundTasks,
    ) -> None:
        """Use a store that supports conditional writes.

        Args:
            store: the store, with timeouts that suit small objects.
            listing_store: the same store, with timeouts that suit long listings.
            bare_tags: whether the store compares entity tags without their quotes.
            tasks: where prefetches run.
        """
        Documents.__init__(self, store)
        self._listing_store = listing_store
        self._bare_tags = bare_tags
        self._tasks = tasks
        self._cache: ReadCache[StoredDocument] = ReadCache(
            _CACHE_BYTES, size_of=lambda each: each.size + _ENTRY_BYTES
        )
        self._listings: ReadCache[Listing] = ReadCache(
            _LISTING_CACHE_BYTES, size_of=lambda each: _ENTRY_BYTES + sum(map(len, each.names))
        )
        # Writers of this process take turns, instead of running into each other's conflicts.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def require_fresh(self) -> None:
        """Require fresh reads: in this task, reads return no state older than this moment."""
        require_fresh()

    def prefetch(self, *keys: tuple[str, type[Document]]) -> None:
        """Start reading documents that will be needed soon, all of them at once."""
        for key, type_ in keys:
            self._tasks.start(self._read(key, type_, not_before=staleness_bound()))

    async def read(self, key: str, type_: type[D]) -> D | None:
        """Return the document under `key`, or None."""
        stored = await self._read(key, type_, not_before=staleness_bound())
        return None if stored.document is None else check_type(stored.document, type_)

    async def read_uncached(self, key: str, type_: type[D]) -> D | None:
        """Return the document under `key`, or None, without adding it to the cache."""
        stored = await self._fetch(key, type_, None)
        return None if stored.document is None else check_type(stored.document, type_)

    async def read_all(self, prefix: str, type_: type[D]) -> list[D]:
        """Return all documents below `prefix`, sorted by key."""
        names = (await self.listing(prefix)).names
        slots = asyncio.Semaphore(CONCURRENT_READS)

        async def read(name: str) -> D | None:
            async with slots:
                try:
                    return await self.read(prefix + name, type_)
                except DamagedDocumentError as error:
                    self.report_damage(error)
                    return None

        found = await asyncio.gather(*(read(name) for name in names))
        return [document for document in found if document is not None]

    async def delete_damaged(self, key: str, type_: type[Document]) -> bool:
        """Delete the document under `key` if it is damaged, and return whether it was."""
        try:
            with storage_errors():
                response = await obstore.get_async(self._document_store, key)
                await _decode(key, response, type_)
        except FileNotFoundError:
            return False
        except DamagedDocumentError:
            pass
        else:
            return False
        stored = StoredDocument(None, _version(response.meta["e_tag"], response.meta["version"]))
        tombstone = tombstone_of(stored.history, secrets.token_hex(8))
        deleted = await self._write(key, stored, tombstone, WriteRetries())
        if deleted:
            self.damaged_keys.discard(key)
        return deleted

    async def listing(self, prefix: str) -> Listing:
        """List the store, and return the sorted names of the documents below `prefix`."""

        async def fetch(_: Listing | None) -> Listing:
            self.counts["list"] += 1
            names = sorted([each.key[len(prefix) :] async for each in self._list(prefix)])
            digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
            return Listing(tuple(names), digest)

        return await self._listings.get_or_fetch(prefix, fetch, not_before=staleness_bound())

    async def versions(self, prefix: str) -> Versions:
        """List the store, and return the documents below `prefix` with their entity tags."""
        self.counts["list"] += 1
        return Versions(
            {
                each.key[len(prefix) :]: f"{each.tag} {each.modified} {each.size}"
                async for each in self._list(prefix)
            }
        )

    async def _list(self, prefix: str) -> AsyncIterator[StoredObject]:
        async for batch in list_objects(self._listing_store, prefix):
            for each in batch:
                # An empty object is not a tombstone, but a damaged document.
                if each.size > TOMBSTONE_BYTES or not each.size:
                    yield each

    async def change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        *,
        prepare: Callable[[D | None], Awaitable[None]] | None = None,
    ) -> None:
        """Replace the document under `key` with the result of `change`, or delete it for None."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            await self._change(key, type_, change, prepare)
        # The caller must see its own change, even if an earlier read is still in progress.
        require_fresh()

    async def _read(self, key: str, type_: type[Document], *, not_before: float) -> StoredDocument:
        async def fetch(cached: StoredDocument | None) -> StoredDocument:
            return await self._fetch(key, type_, cached)

        return await self._cache.get_or_fetch(key, fetch, not_before=not_before)

    async def _fetch(
        self, key: str, type_: type[Document], cached: StoredDocument | None
    ) -> StoredDocument:
        conditions: Any = {}
        if cached is not None and cached.document is not None and cached.version is not None:
            conditions = {"if_none_match": cached.version["e_tag"]}
        self.counts["read"] += 1
        try:
            with self.noting_damage(key), storage_errors():
                try:
                    response = await obstore.get_async(
                        self._document_store, key, options=conditions
                    )
                except NotModifiedError:
                    if cached is None:
                        raise
                    self.counts["not modified"] += 1
                    return cached
                return await _decode(key, response, type_)
        except FileNotFoundError:
            return StoredDocument(None)

    async def _change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        prepare: Callable[[D | None], Awaitable[None]] | None,
    ) -> None:
        not_before, started = staleness_bound(), monotonic()
        retries = WriteRetries()
        while True:
            stored = await retries.read(self._read(key, type_, not_before=not_before))
            if retries.was_applied(stored.history):
                return
            if not stored.purging or monotonic() - started > PURGE_SECONDS:
                before = None if stored.document is None else check_type(stored.document, type_)
                with retries.rejections():
                    if prepare is not None:
                        await retries.read(prepare(before))
                    after = change(before)
                if after is before:
                    return
                revision = retries.new_revision()
                if after is not None:
                    earlier = earlier_revisions(stored.history)
                    after = msgspec.structs.replace(after, revision=revision, earlier=earlier)
                tombstone = tombstone_of(stored.history, revision)
                if await self._write(key, stored, after or tombstone, retries):
                    return
                # Before the pause: during it, other servers may make more changes than a document
                # remembers, and the outcome of the write could not be determined any more.
                stored = await retries.read(self._read(key, type_, not_before=monotonic()))
                if retries.was_applied(stored.history):
                    return
            await retries.back_off()
            not_before = monotonic()

    async def _write(
        self, key: str, stored: StoredDocument, after: Document | str, retries: WriteRetries
    ) -> bool:
        """Write a document or a tombstone; return False if the change has to be retried."""
        encoded = (
            after.encode()
            if isinstance(after, str)
            else encode_document(after, replaced_size=stored.size)
        )
        mode: PutMode = "create"
        if stored.version is not None:
            mode = if_unchanged(stored.version, bare_tags=self._bare_tags)
        started_at = monotonic()
        self.counts["write"] += 1
        try:
            put = await obstore.put_async(
                self._document_store, key, encoded, mode=mode, use_multipart=False
            )
        except (AlreadyExistsError, PreconditionError):
            self.counts["conflict"] += 1
            retries.record_conflict(stored.base_revisions)
            return False
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StorageError(
                "permission denied: the store rejects writes; nothing was changed"
            ) from error
        except (BaseError, OSError) as error:
            self.counts["failure"] += 1
            retries.record_failure(error, stored.base_revisions)
            return False
        version = _version(put["e_tag"], put["version"])
        written = (
            StoredDocument(None, version, tombstone=after)
            if isinstance(after, str)
            else StoredDocument(after, version, len(encoded))
        )
        self._cache.store(key, written, read_at=started_at)
        return True


async def _decode(key: str, response: GetResult, type_: type[Document]) -> StoredDocument:
    """Return the document or the tombstone in a response of the store.

    Raises:
        DamagedDocumentError: the response has neither a document nor a tombstone.
    """
    check_size(key, response.meta["size"])
    encoded = bytes(await response.bytes_async())
    version = _version(response.meta["e_tag"], response.meta["version"])
    if len(encoded) > TOMBSTONE_BYTES:
        document = decode_document(key, memoryview(encoded), type_)
        return StoredDocument(document, version, len(encoded))
    if not is_tombstone(encoded):
        raise damaged(key, "it is empty or cut off")
    return StoredDocument(
        None,
        version,
        tombstone=encoded.decode("ascii"),
        purging=encoded.startswith(PURGE_MARK),
        modified=response.meta["last_modified"].timestamp(),
    )


def _version(tag: str | None, version: str | None) -> UpdateVersion:
    return {"e_tag": tag, "version": version}


def if_unchanged(stored: PutResult | UpdateVersion, *, bare_tags: bool) -> UpdateVersion:
    """Return the condition that the stored object is still this version."""
    tag, version = stored["e_tag"], stored["version"]
    mode: UpdateVersion = {"e_tag": tag.strip('"') if bare_tags and tag is not None else tag}
    # obstore does not accept None for a field that a store does not have.
    if version is not None:
        mode["version"] = version
    return mode
