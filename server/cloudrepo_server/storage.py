"""Documents and blobs in one object store.

A document is a small piece of JSON with a revision of its own; it changes by one conditional write.
A blob is bytes under a key that is used once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from io import SEEK_SET, BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self, TypeVar

import msgspec
import obstore
from cachetools import LRUCache
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore

from cloudrepo_server.errors import StorageError, StorageInUseError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    # obstore has these names in its type stubs alone.
    from obstore import AsyncWritableFile, ReadableFile


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored under one key; `revision` is new with every change."""

    revision: str = ""


D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Listing:
    """The last parts of the keys below a prefix, sorted; another revision means other names."""

    names: tuple[str, ...]
    revision: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Something stored, and when it was written, in seconds since the epoch."""

    key: str
    modified: float


SMALL = 1 << 20
"""Blobs up to this many bytes are written, and may be read, in one piece."""

_PART = 5 << 20
_PARTS_AT_ONCE = 2
_CACHE_BYTES = 32 << 20
_RETIREMENT_SECONDS = 60.0
_REMOVED_AT_ONCE = 100
_LISTED_AT_ONCE = 1000
# How obstore names what it has not written whole, and will not list or remove.
_UNFINISHED = re.compile(r"#\d+\Z")


class Lock(Protocol):
    """What says that this process owns the folder."""

    def release(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 (filelock's own signature)
        """Let another process have the folder."""


class BlobWriter:
    """Takes a blob's bytes as they arrive, with flat memory whatever its size."""

    def __init__(self, storage: Storage, key: str) -> None:
        self.key = key
        self._storage = storage
        self._small = bytearray()
        self._large: AsyncWritableFile | None = None

    async def write(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            StorageError: the store did not take them.
        """
        if self._large is None:
            self._small += data
            if len(self._small) <= SMALL:
                return
            data = bytes(self._small)
            self._small.clear()
            self._large = obstore.open_writer_async(
                self._storage.store,
                self.key,
                buffer_size=_PART,
                max_concurrency=_PARTS_AT_ONCE,
            )
        with _storage_errors():
            await self._large.write(data)

    @property
    def small(self) -> bytes | None:
        """All bytes so far, while they are few."""
        return bytes(self._small) if self._large is None else None

    async def finish(self) -> None:
        """Make the blob readable.

        Raises:
            StorageError: the store did not take it.
        """
        with _storage_errors():
            if self._large is None:
                await self._storage.put(self.key, bytes(self._small))
            else:
                await self._large.close()

    def discard(self) -> None:
        """Forget what was written; obstore removes an unfinished upload that nobody holds."""
        self._small.clear()
        self._large = None


class Storage:
    """One process's view of an object store that it alone writes to."""

    def __init__(
        self,
        store: LocalStore | MemoryStore,
        *,
        folder: Path | None = None,
        temporary: bool = False,
        lock: Lock | None = None,
    ) -> None:
        self.store = store
        self._folder = folder
        self._temporary = temporary
        self._lock = lock
        self._documents: LRUCache[str, tuple[Document, int]] = LRUCache(
            _CACHE_BYTES, getsizeof=lambda document: document[1]
        )
        self._small_blobs: LRUCache[str, bytes] = LRUCache(_CACHE_BYTES // 2, getsizeof=len)
        self._names: dict[str, set[str]] = {}
        self._listings: dict[str, Listing] = {}
        self._retired: dict[str, asyncio.TimerHandle] = {}
        # The end of the keys of all blobs that are written here.
        self._mark = secrets.token_hex(4)

    @classmethod
    def temporary(cls) -> Self:
        """A folder of the system's temporary folder, removed when the storage is closed."""
        folder = Path(tempfile.mkdtemp(prefix="cloudrepo-"))
        return cls(LocalStore(folder), folder=folder, temporary=True)

    @classmethod
    def local(cls, folder: Path) -> Self:
        """A folder that outlives the process.

        Raises:
            StorageInUseError: another process owns it.
            StorageError: it cannot be made or written to.
        """
        # Imported here: a temporary folder has a name of its own and needs no lock.
        from filelock import FileLock, Timeout  # noqa: PLC0415

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
    def memory(cls) -> Self:
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
        """See whether the store takes and gives; what serves nobody is told so by its answer.

        Raises:
            StorageError: it does not.
        """
        key = f"checks/{secrets.token_hex(8)}"
        with _storage_errors():
            obstore.put(self.store, key, b"", use_multipart=False)
            obstore.delete(self.store, key)

    # This process alone writes, so what it read or wrote last is what is there, and a change that
    # awaits nothing between reading and writing is atomic.

    async def read(self, key: str, type_: type[D]) -> D | None:
        """The document under `key`, or None.

        Raises:
            StorageError: the store did not answer.
        """
        return self._read(key, type_)

    async def change(
        self, key: str, type_: type[D], change: Callable[[D | None], D | None]
    ) -> None:
        """Replace the document under `key` with what `change` makes of it; None removes it.

        `change` may be called again when somebody else was quicker; whatever it raises leaves the
        document as it is.

        Raises:
            StorageError: the store did not take it.
        """
        before = self._read(key, type_)
        after = change(before)
        if after is before:
            return
        if after is None:
            with _storage_errors(), contextlib.suppress(FileNotFoundError):
                obstore.delete(self.store, key)
            self._documents.pop(key, None)
            self._listing_changed(key, present=False)
            return
        after = msgspec.structs.replace(after, revision=secrets.token_hex(8))
        encoded = msgspec.json.encode(after)
        with _storage_errors():
            obstore.put(self.store, key, encoded, use_multipart=False)
        self._documents.pop(key, None)
        self._remember(key, after, len(encoded))
        if before is None:
            self._listing_changed(key, present=True)

    async def listing(self, prefix: str) -> Listing:
        """The documents below `prefix`, which ends with a slash.

        Raises:
            StorageError: the store did not answer.
        """
        if prefix not in self._names:
            with _storage_errors():
                self._names[prefix] = {
                    meta["path"][len(prefix) :]
                    for batch in obstore.list(self.store, prefix)
                    for meta in batch
                }
        if prefix not in self._listings:
            self._listings[prefix] = Listing(tuple(sorted(self._names[prefix])))
        return self._listings[prefix]

    async def peek(self, key: str, type_: type[D]) -> D | None:
        """The document under `key`, or None, without keeping it at hand: for who reads them all.

        Raises:
            StorageError: the store did not answer.
        """
        return self._read(key, type_, remember=False)

    async def objects(self, prefix: str) -> AsyncIterator[list[StoredObject]]:
        """All that is stored below `prefix`, which ends with a slash, many at a time, in no order.

        Raises:
            StorageError: the store did not answer.
        """
        with _storage_errors():
            async for batch in obstore.list(self.store, prefix, chunk_size=_LISTED_AT_ONCE):
                yield [
                    StoredObject(meta["path"], meta["last_modified"].timestamp()) for meta in batch
                ]

    async def folders(self, prefix: str) -> list[str]:
        """The next parts of the keys that have more parts below `prefix`, which ends with a slash.

        Raises:
            StorageError: the store did not answer.
        """
        with _storage_errors():
            found = await obstore.list_with_delimiter_async(self.store, prefix)
        return [each.removesuffix("/")[len(prefix) :] for each in found["common_prefixes"]]

    def _read(self, key: str, type_: type[D], *, remember: bool = True) -> D | None:
        known = self._documents.get(key)
        if known is not None:
            return _expect(known[0], type_)
        try:
            with _storage_errors():
                encoded = obstore.get(self.store, key).bytes()
        except FileNotFoundError:
            return None
        try:
            document = msgspec.json.decode(encoded, type=type_)
        except msgspec.MsgspecError as error:
            raise StorageError(f"the stored document {key} cannot be read: {error}") from error
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

    def new_blob(self, prefix: str) -> BlobWriter:
        """A blob to be written, under a key below `prefix` that was never used."""
        return BlobWriter(self, f"{prefix}/{secrets.token_hex(12)}{self._mark}")

    def made_here(self, key: str) -> bool:
        """Whether a blob was begun by this process, which may not have said yet what it is for."""
        return key.endswith(self._mark)

    async def put(self, key: str, data: bytes) -> None:
        """Store a small blob.

        Raises:
            StorageError: the store did not take it.
        """
        with _storage_errors():
            obstore.put(self.store, key, data, use_multipart=False)

    async def get(self, key: str) -> bytes:
        """A small blob's bytes, kept at hand.

        Raises:
            FileNotFoundError: it is not there.
            StorageError: the store did not answer.
        """
        known = self._small_blobs.get(key)
        if known is None:
            with _storage_errors():
                known = bytes(obstore.get(self.store, key).bytes())
            with contextlib.suppress(ValueError):
                self._small_blobs[key] = known
        return known

    def open(self, key: str) -> IO[bytes]:
        """A blob to read from any position; it blocks, so use it off the event loop.

        Raises:
            FileNotFoundError: it is not there.
            StorageError: the store did not answer.
        """
        with _storage_errors():
            return BufferedReader(_Reader(obstore.open_reader(self.store, key)))

    def path(self, key: str) -> Path | None:
        """Where a blob lies on the local disk, if it does."""
        return None if self._folder is None else self._folder / key

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """A blob's bytes from `start` up to `end`.

        Raises:
            FileNotFoundError: it is not there.
            StorageError: the store did not answer.
        """
        with _storage_errors():
            result = await obstore.get_async(self.store, key, options={"range": (start, end)})
            async for chunk in result.stream(min_chunk_size=SMALL):
                yield bytes(chunk)

    def retire(self, key: str) -> None:
        """Remove a blob that nothing refers to any more, when those who read it have had time."""
        if key not in self._retired:
            loop = asyncio.get_running_loop()
            self._retired[key] = loop.call_later(_RETIREMENT_SECONDS, self._remove, key)

    def remove(self, key: str) -> None:
        """Remove a blob that nobody can know of."""
        self._remove(key)

    async def remove_all(self, repository_id: str) -> None:
        """Remove all that was in a repository that is gone, a few objects at a time."""
        for prefix in (f"projects/{repository_id}/", f"blobs/{repository_id}/"):
            self._names.pop(prefix, None)
            self._listings.pop(prefix, None)
            with contextlib.suppress(BaseError, OSError):
                for batch in obstore.list(self.store, prefix, chunk_size=_REMOVED_AT_ONCE):
                    for meta in batch:
                        self._documents.pop(meta["path"], None)
                        self._remove(meta["path"])
                    await asyncio.sleep(0)
            if self._folder is not None:
                # obstore leaves empty folders, which would be found again at each start.
                with contextlib.suppress(OSError):
                    (self._folder / prefix).rmdir()

    async def remove_unfinished(self) -> int:
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
                    elif _UNFINISHED.search(entry.name) and not self.made_here(name):
                        removed += _unlink(Path(entry.path))
                    if number % _LISTED_AT_ONCE == 0:
                        await asyncio.sleep(0)
        return removed

    def _remove(self, key: str) -> None:
        self._retired.pop(key, None)
        self._small_blobs.pop(key, None)
        with contextlib.suppress(FileNotFoundError, BaseError):
            obstore.delete(self.store, key)


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


class _Reader(RawIOBase):
    """A blob as Python's own files are, for the libraries that read archives."""

    def __init__(self, blob: ReadableFile) -> None:
        super().__init__()
        self._blob = blob

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        with _storage_errors():
            data = memoryview(self._blob.read(len(target)))
        target[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        with _storage_errors():
            return self._blob.seek(offset, whence)


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    # obstore's messages hold paths and URLs, which are nobody's business outside.
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise StorageError("the storage did not answer; nothing was changed") from error


def _expect(document: Document, type_: type[D]) -> D:
    if not isinstance(document, type_):
        expected: Any = type_.__name__
        raise StorageError(f"a {type(document).__name__} stands where a {expected} was expected")
    return document
