"""The store that one process owns: a folder of the local disk, or memory.

This process alone writes, so what it read or wrote last is what is there, and a change that awaits
nothing between reading and writing is atomic. So all is answered inline, from what is at hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import msgspec
import obstore
from cachetools import LRUCache
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore

from cloudrepo_server.errors import StorageError, StorageInUseError
from cloudrepo_server.keys import blobs_of, projects_of
from cloudrepo_server.models import Document
from cloudrepo_server.storage.base import (
    D,
    Listing,
    Storage,
    decode,
    expected,
)
from cloudrepo_server.storage.blobs import SMALL_BLOB, Store
from cloudrepo_server.storage.failures import storage_errors

if TYPE_CHECKING:
    from obstore import AsyncWritableFile

# As JSON; a document that was read takes several times as much.
_DOCUMENT_BYTES = 2 << 20
_RETIREMENT_SECONDS = 60.0
_REMOVED_AT_ONCE = 100
_LISTED_AT_ONCE = 1000
# How obstore names what it has not written whole, and will not list or remove.
_UNFINISHED = re.compile(r"#\d+\Z")


class Lock(Protocol):
    """What says that this process owns the folder."""

    def release(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 (filelock's own signature)
        """Let another process have the folder."""


class LocalStorage(Storage):
    """One process's view of an object store that it alone writes to."""

    shared: ClassVar[bool] = False

    def __init__(
        self,
        store: LocalStore | MemoryStore,
        documents: LocalStore | MemoryStore | None = None,
        *,
        folder: Path | None = None,
        temporary: bool = False,
        lock: Lock | None = None,
    ) -> None:
        super().__init__(store, documents)
        self._folder = folder
        self._temporary = temporary
        self._lock = lock
        self._documents: LRUCache[str, tuple[Document, int]] = LRUCache(
            _DOCUMENT_BYTES, getsizeof=lambda document: document[1]
        )
        self._names: dict[str, set[str]] = {}
        self._listings: dict[str, Listing] = {}
        self._retired: dict[str, asyncio.TimerHandle] = {}

    @classmethod
    def in_temporary_folder(cls) -> Self:
        """A folder of the system's temporary folder, removed when the storage is closed.

        It holds the blobs alone. Nobody will ever read the documents of a process that is gone, and
        to replace a file takes far longer than to write a new one.
        """
        folder = Path(tempfile.mkdtemp(prefix="cloudrepo-"))
        return cls(LocalStore(folder), MemoryStore(), folder=folder, temporary=True)

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """A folder that outlives the process.

        Raises:
            StorageInUseError: another process owns it.
            StorageError: it cannot be made or written to.
        """
        # Imported here: a temporary folder has a name of its own and needs no lock.
        from filelock import FileLock, Timeout

        store = folder / "store"
        try:
            store.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / "lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise StorageInUseError(
                f"another server owns {folder}: stop it, or give --data another folder"
            ) from None
        except OSError as error:
            raise StorageError(f"cannot write to {store}: {error.strerror}") from error
        return cls(LocalStore(store), folder=store, lock=lock)

    @classmethod
    def in_memory(cls) -> Self:
        """No folder at all; for tests of this package."""
        return cls(MemoryStore())

    async def close(self) -> None:
        """Remove what waits to be removed and let the folder go."""
        for key, handle in list(self._retired.items()):
            handle.cancel()
            self._remove(key)
        if self._temporary and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.release()

    async def check(self) -> None:
        """See whether the store takes and gives."""
        key = f"checks/{secrets.token_hex(8)}"
        with storage_errors():
            # Not nothing, for which a full disk has room.
            obstore.put(self.blobs, key, b"whole", use_multipart=False)
            obstore.delete(self.blobs, key)

    def require_fresh(self) -> None:
        """Do nothing: what is at hand is never old."""

    def prefetch(self, *keys: tuple[str, type[Document]]) -> None:
        """Do nothing: what is read is there at once."""

    async def read(self, key: str, type_: type[D]) -> D | None:
        """The document under `key`, or None."""
        return self._read(key, type_)

    async def read_all(self, prefix: str, type_: type[D]) -> list[D]:
        """All documents below `prefix`."""
        listing = await self.listing(prefix)
        found = (self._read(prefix + name, type_) for name in listing.names)
        return [document for document in found if document is not None]

    async def change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        *,
        prepare: Callable[[D | None], Awaitable[None]] | None = None,
    ) -> None:
        """Replace the document under `key` with what `change` makes of it."""
        before = self._read(key, type_)
        if prepare is not None:
            # Here all that it reads is at hand, so nobody comes between.
            await prepare(before)
        after = change(before)
        if after is before:
            return
        if after is None:
            with storage_errors(), contextlib.suppress(FileNotFoundError):
                obstore.delete(self.documents, key)
            self._documents.pop(key, None)
            self._listing_changed(key, present=False)
            return
        after = msgspec.structs.replace(after, revision=secrets.token_hex(8))
        encoded = msgspec.json.encode(after)
        with storage_errors():
            obstore.put(self.documents, key, encoded, use_multipart=False)
        self._documents.pop(key, None)
        self._remember(key, after, len(encoded))
        if before is None:
            self._listing_changed(key, present=True)

    async def listing(self, prefix: str) -> Listing:
        """The documents below `prefix`."""
        if prefix not in self._names:
            with storage_errors():
                self._names[prefix] = {
                    meta["path"][len(prefix) :]
                    for batch in obstore.list(self.documents, prefix)
                    for meta in batch
                }
        if prefix not in self._listings:
            self._listings[prefix] = Listing(tuple(sorted(self._names[prefix])))
        return self._listings[prefix]

    async def read_uncached(self, key: str, type_: type[D]) -> D | None:
        """The document under `key`, or None, without keeping it at hand."""
        return self._read(key, type_, remember=False)

    def local_path(self, key: str) -> Path | None:
        """Where a blob lies on the local disk, if it does."""
        return None if self._folder is None else self._folder / key

    async def presigned_url(self, key: str) -> str | None:  # noqa: ARG002 (that of a shared store needs it)
        """Nowhere."""
        return None

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """A blob's bytes from `start` up to `end`."""
        with storage_errors():
            result = await obstore.get_async(self.blobs, key, options={"range": (start, end)})
            async for chunk in result.stream(min_chunk_size=SMALL_BLOB):
                yield bytes(chunk)

    def delete_later(self, key: str) -> None:
        """Remove a blob that nothing refers to any more, when those who read it have had time."""
        if key not in self._retired:
            loop = asyncio.get_running_loop()
            self._retired[key] = loop.call_later(_RETIREMENT_SECONDS, self._remove, key)

    def delete(self, key: str) -> None:
        """Remove a blob that nobody can know of."""
        self._remove(key)

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Remove blobs that nothing refers to."""
        for start in range(0, len(keys), _REMOVED_AT_ONCE):
            for key in keys[start : start + _REMOVED_AT_ONCE]:
                self._remove(key)
            await asyncio.sleep(0)

    async def delete_repository_objects(self, repository_id: str) -> None:
        """Remove all that was in a repository that is gone, a few objects at a time."""
        for store, prefix in (
            (self.documents, projects_of(repository_id)),
            (self.blobs, blobs_of(repository_id)),
        ):
            self._names.pop(prefix, None)
            self._listings.pop(prefix, None)
            with contextlib.suppress(BaseError, OSError):
                for batch in obstore.list(store, prefix, chunk_size=_REMOVED_AT_ONCE):
                    for meta in batch:
                        self._documents.pop(meta["path"], None)
                        self._remove(meta["path"], store)
                    await asyncio.sleep(0)
            if self._folder is not None:
                # obstore leaves empty folders, which would be found again at each start.
                with contextlib.suppress(OSError):
                    (self._folder / prefix).rmdir()

    async def delete_partial_files(self) -> int:
        """Remove what a killed process had not written whole; the answer is how many files."""
        removed = 0
        folders = [] if self._folder is None else [self._folder]
        while folders:
            # A folder may go meanwhile.
            with contextlib.suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
                for number, entry in enumerate(entries):
                    name = entry.name.rpartition("#")[0]
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif _UNFINISHED.search(entry.name) and not self.is_own_write(name):
                        removed += _unlink(Path(entry.path))
                    if number % _LISTED_AT_ONCE == 0:
                        await asyncio.sleep(0)
        return removed

    def _read(self, key: str, type_: type[D], *, remember: bool = True) -> D | None:
        known = self._documents.get(key)
        if known is not None:
            return expected(known[0], type_)
        try:
            with storage_errors():
                encoded = obstore.get(self.documents, key).bytes()
        except FileNotFoundError:
            return None
        document = decode(key, memoryview(encoded), type_)
        if remember:
            self._remember(key, document, len(encoded))
        return document

    def _remember(self, key: str, document: Document, size: int) -> None:
        # A document too large for the cache is read again each time.
        with contextlib.suppress(ValueError):
            self._documents[key] = document, size

    def _listing_changed(self, key: str, *, present: bool) -> None:
        prefix, _, name = key.rpartition("/")
        names = self._names.get(prefix + "/")
        if names is not None:
            (names.add if present else names.discard)(name)
            self._listings.pop(prefix + "/", None)

    async def _put(self, key: str, data: bytes) -> None:
        with storage_errors():
            if self._folder is None:
                obstore.put(self.blobs, key, data, use_multipart=False)
            else:
                _create(self._folder / key, data)

    async def _get(self, key: str) -> bytes:
        with storage_errors():
            return bytes(obstore.get(self.blobs, key).bytes())

    async def current_time(self) -> float:
        """The time of this machine."""
        return time.time()

    async def purge_tombstones(self, prefix: str, *, before: float) -> int:  # noqa: ARG002 (others need them)
        """Do nothing: of a document that is removed nothing is left."""
        return 0

    def _abandon(self, writer: AsyncWritableFile) -> None:
        """Do nothing: obstore removes a local file on the way that nobody holds."""

    def _remove(self, key: str, store: Store | None = None) -> None:
        self._retired.pop(key, None)
        self._small_blobs.pop(key, None)
        with contextlib.suppress(FileNotFoundError, BaseError):
            obstore.delete(store or self.blobs, key)


def _create(path: Path, data: bytes) -> None:
    # Nothing refers to a blob before it is whole, so it needs no other name until then, as obstore
    # would give it.
    try:
        file = path.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    try:
        with file:
            file.write(data)
    except OSError:
        _unlink(path)
        raise


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
