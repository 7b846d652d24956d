"""What every store does for the rest of the server.

A document is a small piece of JSON with a revision of its own; it changes by one conditional write.
A blob is bytes under a key that is used once.
"""

from __future__ import annotations

import contextlib
import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec
import obstore
from cachetools import LRUCache

from cloudrepo_server.errors import StorageError
from cloudrepo_server.keys import is_blob
from cloudrepo_server.models import Document
from cloudrepo_server.storage.blobs import BlobReader, BlobWriter, Store
from cloudrepo_server.storage.failures import storage_errors

if TYPE_CHECKING:
    from obstore import AsyncWritableFile

CACHE_BYTES = 32 << 20
_LISTED_AT_ONCE = 1000
_READ_AHEAD = 1 << 20


D = TypeVar("D", bound=Document)


class Listing(msgspec.Struct, frozen=True):
    """The last parts of the keys below a prefix, sorted; another revision means other names."""

    names: tuple[str, ...]
    revision: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))


class StoredObject(msgspec.Struct, frozen=True):
    """Something stored, and when it was written, in seconds since the epoch."""

    key: str
    modified: float
    size: int


class Storage(ABC):
    """One process's view of an object store."""

    shared: ClassVar[bool]
    """Whether other processes write to it too."""

    def __init__(self, blobs: Store, documents: Store | None = None) -> None:
        self.blobs = blobs
        self.documents = blobs if documents is None else documents
        self.counts: Counter[str] = Counter()
        """What a shared store was asked and answered, for who watches it."""
        self._small_blobs: LRUCache[str, bytes] = LRUCache(CACHE_BYTES // 2, getsizeof=len)
        # The end of the keys of all blobs that are written here.
        self._mark = secrets.token_hex(4)

    @abstractmethod
    async def close(self) -> None:
        """Finish what was begun and let the store go."""

    @abstractmethod
    async def check(self) -> None:
        """See whether the store serves.

        Raises:
            StorageError: it does not.
        """

    @abstractmethod
    def require_fresh(self) -> None:
        """Let what is read from now on, in this task, be no older than this moment."""

    @abstractmethod
    def prefetch(self, *keys: tuple[str, type[Document]]) -> None:
        """Say which documents will be read soon, so that they are asked for at once."""

    @abstractmethod
    async def read(self, key: str, type_: type[D]) -> D | None:
        """The document under `key`, or None.

        Raises:
            StorageError: the store did not answer.
        """

    @abstractmethod
    async def read_all(self, prefix: str, type_: type[D]) -> list[D]:
        """All documents below `prefix`, which ends with a slash, by their keys.

        Raises:
            StorageError: the store did not answer.
        """

    @abstractmethod
    async def change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        *,
        prepare: Callable[[D | None], Awaitable[None]] | None = None,
    ) -> None:
        """Replace the document under `key` with what `change` makes of it; None removes it.

        `change` may be called again when somebody else was quicker; whatever it raises leaves the
        document as it is. Before each call `prepare` may read what must be no older than the
        document that it is given.

        Raises:
            StorageError: the store did not take it.
            UncertainError: whether it did is not known.
        """

    @abstractmethod
    async def listing(self, prefix: str) -> Listing:
        """The documents below `prefix`, which ends with a slash.

        Raises:
            StorageError: the store did not answer.
        """

    @abstractmethod
    async def read_uncached(self, key: str, type_: type[D]) -> D | None:
        """The document under `key`, or None, without keeping it at hand: for who reads them all.

        Raises:
            StorageError: the store did not answer.
        """

    async def list_objects(self, prefix: str) -> AsyncIterator[list[StoredObject]]:
        """All that is stored below `prefix`, which ends with a slash, many at a time, in no order.

        Raises:
            StorageError: the store did not answer.
        """
        with storage_errors():
            store = self.blobs if is_blob(prefix) else self.documents
            async for batch in obstore.list(store, prefix, chunk_size=_LISTED_AT_ONCE):
                yield [
                    StoredObject(meta["path"], meta["last_modified"].timestamp(), meta["size"])
                    for meta in batch
                ]

    async def ages(self, prefix: str) -> dict[str, float]:
        """How many seconds ago all below `prefix` was written, by their keys.

        It is the store's own clock that tells, since those of several servers may differ.

        Raises:
            StorageError: the store did not answer.
        """
        now = await self.current_time()
        # Some stores tell this time to the second, and those of what they list more exactly.
        return {
            each.key: max(0.0, now - each.modified)
            async for batch in self.list_objects(prefix)
            for each in batch
        }

    async def list_folders(self, prefix: str) -> list[str]:
        """The next parts of the keys that have more parts below `prefix`, which ends with a slash.

        Raises:
            StorageError: the store did not answer.
        """
        with storage_errors():
            store = self.blobs if is_blob(prefix) else self.documents
            found = await obstore.list_with_delimiter_async(store, prefix)
        return [each.removesuffix("/")[len(prefix) :] for each in found["common_prefixes"]]

    def new_blob(self, prefix: str) -> BlobWriter:
        """Return a writer for a new blob below `prefix`, which ends with a slash."""
        key = f"{prefix}{secrets.token_hex(12)}{self._mark}"
        return BlobWriter(self.blobs, key, put=self._put, abandon=self._abandon)

    def is_own_write(self, key: str) -> bool:
        """Whether a blob was begun by this process, which may not have said yet what it is for."""
        return key.endswith(self._mark)

    async def get(self, key: str) -> bytes:
        """A small blob's bytes, kept at hand.

        Raises:
            FileNotFoundError: it is not there.
            StorageError: the store did not answer.
        """
        known = self._small_blobs.get(key)
        if known is None:
            known = await self._get(key)
            with contextlib.suppress(ValueError):
                self._small_blobs[key] = known
        return known

    def open(self, key: str, size: int) -> IO[bytes]:
        """A blob of that size to read from any position, which raises StorageError.

        Reading blocks, so do it off the event loop.
        """
        return BufferedReader(BlobReader(self.blobs, key, size), _READ_AHEAD)

    @abstractmethod
    def local_path(self, key: str) -> Path | None:
        """Where a blob lies on the local disk, if it does."""

    @abstractmethod
    async def presigned_url(self, key: str) -> str | None:
        """Where anybody may take a blob for a while, if clients are to be sent there."""

    @abstractmethod
    def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """A blob's bytes from `start` up to `end`.

        Raises:
            FileNotFoundError: it is not there.
            StorageError: the store did not answer.
        """

    @abstractmethod
    def delete_later(self, key: str) -> None:
        """Remove a blob that nothing refers to any more, when those who read it have had time."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove a blob that nobody can know of."""

    @abstractmethod
    async def delete_many(self, keys: Sequence[str]) -> None:
        """Remove blobs that nothing refers to."""

    @abstractmethod
    async def delete_repository_objects(self, repository_id: str) -> None:
        """Remove all that was in a repository that is gone, a few objects at a time."""

    async def delete_partial_files(self) -> int:
        """Remove what a killed process had not written whole; the answer is how many files."""
        return 0

    @abstractmethod
    async def current_time(self) -> float:
        """The store's time, by which the age of what it holds is told.

        Raises:
            StorageError: the store did not answer.
        """

    @abstractmethod
    async def purge_tombstones(self, prefix: str, *, before: float) -> int:
        """Remove what is left below `prefix` of documents that were removed before that moment.

        Raises:
            StorageError: the store did not answer.
        """

    @abstractmethod
    async def _put(self, key: str, data: bytes) -> None:
        """Store a small blob."""

    @abstractmethod
    async def _get(self, key: str) -> bytes:
        """Read a small blob."""

    @abstractmethod
    def _abandon(self, writer: AsyncWritableFile) -> None:
        """End an upload on the way; obstore removes a local one that nobody holds."""


def decode(key: str, encoded: bytes | memoryview, type_: type[D]) -> D:
    """A document as it was stored.

    Raises:
        StorageError: it is none.
    """
    try:
        return msgspec.json.decode(encoded, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StorageError(f"the stored document {key} cannot be read: {error}") from error


def expected(document: Document, type_: type[D]) -> D:
    """The document, which is of that type.

    Raises:
        StorageError: it is of another.
    """
    if not isinstance(document, type_):
        name: Any = type_.__name__
        raise StorageError(f"a {type(document).__name__} stands where a {name} was expected")
    return document
