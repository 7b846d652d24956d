"""A blob that is being written, and one that is being read."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from typing import TYPE_CHECKING, TypeAlias

import obstore
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from cloudrepo_server.errors import StorageError
from cloudrepo_server.storage.failures import storage_errors

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    # obstore has this name in its type stubs alone.
    from obstore import AsyncWritableFile

Store: TypeAlias = LocalStore | MemoryStore | S3Store | GCSStore | AzureStore

SMALL_BLOB = 1 << 20
"""Blobs up to this many bytes are written, and may be read, in one piece."""

_PART = 5 << 20
_PARTS_AT_ONCE = 2


class BlobWriter:
    """Takes a blob's bytes as they arrive, with flat memory whatever its size.

    `put` stores one that is small; `abandon` ends one that is not, on the way.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        *,
        put: Callable[[str, bytes], Awaitable[None]],
        abandon: Callable[[AsyncWritableFile], None],
    ) -> None:
        self.key = key
        self._store = store
        self._put = put
        self._abandon = abandon
        self._size = 0
        self._small = bytearray()
        self._large: AsyncWritableFile | None = None

    async def write(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            StorageError: the store did not take them.
        """
        self._size += len(data)
        if self._large is None:
            self._small += data
            if len(self._small) <= SMALL_BLOB:
                return
            data = bytes(self._small)
            self._small.clear()
            self._large = obstore.open_writer_async(
                self._store, self.key, buffer_size=_PART, max_concurrency=_PARTS_AT_ONCE
            )
        with storage_errors():
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
        if self._large is None:
            await self._put(self.key, bytes(self._small))
            return
        try:
            with storage_errors():
                await self._large.close()
        except (StorageError, FileNotFoundError) as error:
            # Of a store that was asked again, as its first answer was lost, the second may be that
            # there is nothing to finish. Nobody else writes under this key.
            if await self.is_complete():
                return
            if isinstance(error, StorageError):
                raise
            raise StorageError("the storage did not take the file") from error

    async def is_complete(self) -> bool:
        """Whether the blob is there, with all its bytes.

        Raises:
            StorageError: the store did not answer.
        """
        with contextlib.suppress(FileNotFoundError), storage_errors():
            there = await obstore.head_async(self._store, self.key)
            return there["size"] == self._size
        return False

    def discard(self) -> None:
        """Forget what was written."""
        self._small.clear()
        if self._large is not None:
            self._abandon(self._large)
            self._large = None


class BlobReader(RawIOBase):
    """A blob as Python's own files are, for the libraries that read archives."""

    def __init__(self, store: Store, key: str, size: int) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read from any position: yes."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read as many bytes as fit, or as are there.

        Raises:
            StorageError: the store did not answer, or the blob was removed.
        """
        target = memoryview(buffer).cast("B")
        length = min(len(target), self._size - self._at)
        if length <= 0:
            return 0
        try:
            with storage_errors():
                data = memoryview(
                    obstore.get_range(self._store, self._key, start=self._at, length=length)
                )
        except FileNotFoundError as error:
            raise StorageError("the file was removed while it was read") from error
        target[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Go on from another position."""
        self._at = max(0, offset + {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence])
        return self._at
