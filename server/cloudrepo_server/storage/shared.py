"""The store that several servers write to: S3, Google Cloud Storage, Azure, or their like.

A document changes by a conditional write, on the condition that it still is as it was read; else
all begins anew. A conditional removal is not to be had, so a document that is removed is
overwritten by a tombstone, which has revisions and nothing else. That is swept when it is old:
marked first, so that whoever wants the key meanwhile waits for it to go.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
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

from cloudrepo_server.errors import StorageError
from cloudrepo_server.models import Document
from cloudrepo_server.storage.base import (
    CACHE_BYTES,
    D,
    Listing,
    decode,
    expected,
)
from cloudrepo_server.storage.failures import storage_errors
from cloudrepo_server.storage.read_cache import Sighting, Sightings, needed, require_fresh
from cloudrepo_server.storage.retries import Attempt, lineage_of, remembered, tombstone_of
from cloudrepo_server.storage.shared_blobs import SharedBlobs

if TYPE_CHECKING:
    from obstore import PutMode, PutResult, UpdateVersion

    from cloudrepo_server.storage.shared_blobs import RemoteStore

READY = "checks/ready"
"""What is there in every store that a server has begun to use."""

_GOING = b"-"
"""What a tombstone begins with while it is being swept."""

# No document is that small, and no tombstone larger: so listings tell them apart.
_TOMBSTONE = 90
# Longer than a sweep takes between the mark and the removal: the bounds of two requests. One that
# was halted between them, as the machine slept, does not remove.
_GOING_SECONDS = 20.0
_HALTED_SECONDS = _GOING_SECONDS / 2
_READ_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class _Stored:
    """What stands under a key; `version` is None where nothing does.

    `tombstone` has the revisions of a removal, and of what was before it.
    """

    document: Document | None
    version: UpdateVersion | None = None
    size: int = 0
    tombstone: str = ""
    going: bool = False
    modified: float = 0.0

    @property
    def lineage(self) -> tuple[str, ...]:
        """Its revision and those before it."""
        return lineage_of(self.document, self.tombstone)

    @property
    def grounds(self) -> frozenset[str]:
        """Its revision, and that of nothing where it is a tombstone, which may be swept."""
        return frozenset(self.lineage[:1] if self.document is not None else (self.lineage[0], ""))


class SharedStorage(SharedBlobs):
    """One server's view of a store that others write to as well."""

    def __init__(
        self,
        *,
        documents: RemoteStore,
        blobs: RemoteStore,
        bare_tags: bool = False,
        presigned: bool = False,
    ) -> None:
        """Describe a store that is known to do conditional writes.

        Args:
            documents: the store, with bounds that suit what is small.
            blobs: the same store, with bounds that suit what is large.
            bare_tags: whether it compares entity tags without their quotes.
            presigned: whether clients are to take blobs from the store itself.
        """
        super().__init__(blobs, presigned=presigned)
        self._documents = documents
        self._bare_tags = bare_tags
        self._seen: Sightings[_Stored] = Sightings(CACHE_BYTES, size_of=lambda each: each.size + 64)
        self._listed: Sightings[Listing] = Sightings(
            CACHE_BYTES // 4, size_of=lambda each: 64 + sum(map(len, each.names))
        )
        # Those of one process need not find out from the store that they are in each other's way.
        self._writers: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def check(self) -> None:
        """See whether the store answers."""
        try:
            with storage_errors():
                await obstore.head_async(self._documents, READY)
        except FileNotFoundError as error:
            raise StorageError("the storage is not what it was at the start") from error

    def require_fresh(self) -> None:
        """Let what is read from now on, in this task, be no older than this moment."""
        require_fresh()

    def prefetch(self, *keys: tuple[str, type[Document]]) -> None:
        """Ask for documents that will be read soon."""
        for key, type_ in keys:
            self.in_the_background(self._look(key, type_, since=needed()))

    async def read(self, key: str, type_: type[D]) -> D | None:
        """The document under `key`, or None."""
        stored = await self._look(key, type_, since=needed())
        return None if stored.document is None else expected(stored.document, type_)

    async def read_all(self, prefix: str, type_: type[D]) -> list[D]:
        """All documents below `prefix`."""
        names = (await self.listing(prefix)).names
        few = asyncio.Semaphore(_READ_AT_ONCE)

        async def read(name: str) -> D | None:
            async with few:
                return await self.read(prefix + name, type_)

        found = await asyncio.gather(*(read(name) for name in names))
        return [document for document in found if document is not None]

    async def read_uncached(self, key: str, type_: type[D]) -> D | None:
        """The document under `key`, or None, without keeping it at hand."""
        stored = await self._ask(key, type_, None)
        return None if stored.document is None else expected(stored.document, type_)

    async def change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        *,
        prepare: Callable[[D | None], Awaitable[None]] | None = None,
    ) -> None:
        """Replace the document under `key` with what `change` makes of it."""
        lock = self._writers.get(key)
        if lock is None:
            lock = self._writers[key] = asyncio.Lock()
        async with lock:
            await self._change(key, type_, change, prepare)
        # Who has changed something sees it, whatever was asked meanwhile.
        require_fresh()

    async def listing(self, prefix: str) -> Listing:
        """The documents below `prefix`, as the store lists them."""

        async def ask(_: Sighting[Listing] | None) -> Listing:
            self.counts["list"] += 1
            names = [
                each.key[len(prefix) :]
                async for batch in self.list_objects(prefix)
                for each in batch
                if each.size > _TOMBSTONE
            ]
            names.sort()
            digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
            return Listing(tuple(names), digest)

        return await self._listed.look(prefix, ask, since=needed())

    async def current_time(self) -> float:
        """The time of the store, which is not this machine's."""
        with storage_errors():
            await obstore.put_async(self._documents, READY, b"")
            ready = await obstore.head_async(self._documents, READY)
        return ready["last_modified"].timestamp()

    async def purge_tombstones(self, prefix: str, *, before: float) -> int:
        """Remove old tombstones below `prefix`, each after it was marked."""
        now = await self.current_time()
        few, removed = asyncio.Semaphore(_READ_AT_ONCE), 0

        async def remove(key: str) -> bool:
            async with few:
                return await self._remove_gone(key, marked_before=now - 2 * _GOING_SECONDS)

        async for batch in self.list_objects(prefix):
            old = [each for each in batch if each.size <= _TOMBSTONE and each.modified < before]
            removed += sum(await asyncio.gather(*(remove(each.key) for each in old)))
        return removed

    async def _remove_gone(self, key: str, *, marked_before: float) -> bool:
        stored = await self._ask(key, Document, None)
        if stored.document is not None or stored.version is None:
            return False
        if stored.going and stored.modified > marked_before:
            # Another sweep is about to remove it, and might remove what was made in its place.
            return False
        begun = monotonic()
        try:
            await obstore.put_async(
                self._documents,
                key,
                _GOING + tombstone_of(stored.lineage, secrets.token_hex(8)).encode(),
                mode=unchanged(stored.version, bare_tags=self._bare_tags),
                use_multipart=False,
            )
            if monotonic() - begun > _HALTED_SECONDS:
                return False
            await obstore.delete_async(self._documents, key)
        except (BaseError, OSError):
            return False
        return True

    async def _look(self, key: str, type_: type[Document], *, since: float) -> _Stored:
        async def ask(known: Sighting[_Stored] | None) -> _Stored:
            return await self._ask(key, type_, None if known is None else known.value)

        return await self._seen.look(key, ask, since=since)

    async def _ask(self, key: str, type_: type[Document], known: _Stored | None) -> _Stored:
        conditions: Any = {}
        if known is not None and known.document is not None and known.version is not None:
            conditions = {"if_none_match": known.version["e_tag"]}
        self.counts["read"] += 1
        try:
            with storage_errors():
                try:
                    answer = await obstore.get_async(self._documents, key, options=conditions)
                except NotModifiedError:
                    if known is None:
                        raise
                    self.counts["not modified"] += 1
                    return known
                encoded = await answer.bytes_async()
        except FileNotFoundError:
            return _Stored(None)
        version = _version(answer.meta["e_tag"], answer.meta["version"])
        if len(encoded) <= _TOMBSTONE:
            return _Stored(
                None,
                version,
                tombstone=bytes(encoded).decode(errors="replace"),
                going=bytes(encoded).startswith(_GOING),
                modified=answer.meta["last_modified"].timestamp(),
            )
        document = decode(key, memoryview(encoded), type_)
        return _Stored(document, version, len(encoded))

    async def _change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        prepare: Callable[[D | None], Awaitable[None]] | None,
    ) -> None:
        since, started = needed(), monotonic()
        attempt = Attempt()
        while True:
            stored = await attempt.ask(self._look(key, type_, since=since))
            if attempt.succeeded(stored.lineage):
                return
            if not stored.going or monotonic() - started > _GOING_SECONDS:
                before = None if stored.document is None else expected(stored.document, type_)
                with attempt.deciding():
                    if prepare is not None:
                        await attempt.ask(prepare(before))
                    after = change(before)
                if after is before:
                    return
                revision = attempt.next_revision()
                if after is not None:
                    earlier = remembered(stored.lineage)
                    after = msgspec.structs.replace(after, revision=revision, earlier=earlier)
                tombstone = tombstone_of(stored.lineage, revision)
                if await self._put_document(key, stored, after or tombstone, attempt):
                    return
            await attempt.pause()
            since = monotonic()

    async def _put_document(
        self, key: str, stored: _Stored, after: Document | str, attempt: Attempt
    ) -> bool:
        encoded = after.encode() if isinstance(after, str) else msgspec.json.encode(after)
        mode: PutMode = "create"
        if stored.version is not None:
            mode = unchanged(stored.version, bare_tags=self._bare_tags)
        begun = monotonic()
        self.counts["write"] += 1
        try:
            put = await obstore.put_async(
                self._documents, key, encoded, mode=mode, use_multipart=False
            )
        except (AlreadyExistsError, PreconditionError):
            self.counts["conflict"] += 1
            attempt.conflict(on=stored.grounds)
            return False
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StorageError("the storage refuses changes; nothing was changed") from error
        except (BaseError, OSError) as error:
            self.counts["failure"] += 1
            attempt.failure(error, on=stored.grounds)
            return False
        version = _version(put["e_tag"], put["version"])
        now = (
            _Stored(None, version, tombstone=after)
            if isinstance(after, str)
            else _Stored(after, version, len(encoded))
        )
        self._seen.note(key, now, at=begun)
        return True


def _version(tag: str | None, version: str | None) -> UpdateVersion:
    return {"e_tag": tag, "version": version}


def unchanged(stored: PutResult | UpdateVersion, *, bare_tags: bool) -> UpdateVersion:
    """The condition that what was stored is there still."""
    tag, version = stored["e_tag"], stored["version"]
    mode: UpdateVersion = {"e_tag": tag.strip('"') if bare_tags and tag is not None else tag}
    # obstore takes no None for what a store does not have.
    if version is not None:
        mode["version"] = version
    return mode
