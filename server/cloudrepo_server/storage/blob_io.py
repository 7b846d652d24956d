"""A writer and a reader of one blob."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from typing import TYPE_CHECKING

import obstore

from cloudrepo_server.errors import StorageError
from cloudrepo_server.storage.failures import storage_errors
from cloudrepo_server.storage.objects import Store

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    # obstore defines this name only in its type stubs.
    from obstore import AsyncWritableFile

SMALL_BLOB = 1 << 20
"""The size in bytes up to which a blob is written, and may be read, in one request."""

_PART_BYTES = 5 << 20
_CONCURRENT_PARTS = 2


class BlobWriter:
    """A writer of one blob, which needs the same memory for a blob of any size.

    `put` stores a small blob; `abort` aborts the upload of a large one.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        *,
        put: Callable[[str, bytes], Awaitable[None]],
        abort: Callable[[AsyncWritableFile], None],
    ) -> None:
        self.key = key
        self._store = store
        self._put = put
        self._abort = abort
        self._size = 0
        self._small = bytearray()
        self._large: AsyncWritableFile | None = None

    async def write(self, data: bytes) -> None:
        """Append content.

        Raises:
            StorageError: the store did not accept it.
        """
        self._size += len(data)
        if self._large is None:
            self._small += data
            if len(self._small) <= SMALL_BLOB:
                return
            data = bytes(self._small)
            self._small.clear()
            self._large = obstore.open_writer_async(
                self._store, self.key, buffer_size=_PART_BYTES, max_concurrency=_CONCURRENT_PARTS
            )
        with storage_errors():
            await self._large.write(data)

    @property
    def small(self) -> bytes | None:
        """The whole content so far, or None if it is larger than a small blob."""
        return bytes(self._small) if self._large is None else None

    async def finish(self) -> None:
        """Complete the blob, so that it can be read.

        Raises:
            StorageError: the store did not accept it.
        """
        if self._large is None:
            await self._put(self.key, bytes(self._small))
            return
        try:
            with storage_errors():
                await self._large.close()
        except (StorageError, FileNotFoundError) as error:
            # If the first response was lost, obstore repeats the request. The store then reports
            # that no such upload exists, although the blob is complete. No other process writes
            # under this key.
            if await self.is_complete():
                return
            if isinstance(error, StorageError):
                raise
            raise StorageError("the store did not accept the file") from error

    async def is_complete(self) -> bool:
        """Return whether the store has the blob with its whole content.

        Raises:
            StorageError: the store did not respond.
        """
        return await self.written() is not None

    async def written(self) -> float | None:
        """Return when the blob was written, or None if the store lacks its whole content.

        Raises:
            StorageError: the store did not respond.
        """
        with contextlib.suppress(FileNotFoundError), storage_errors():
            stored = await obstore.head_async(self._store, self.key)
            if stored["size"] == self._size:
                return stored["last_modified"].timestamp()
        return None

    def discard(self) -> None:
        """Discard the content, and abort the upload of a large blob."""
        self._small.clear()
        if self._large is not None:
            self._abort(self._large)
            self._large = None


class BlobReader(RawIOBase):
    """A seekable binary file of one blob, for libraries that read archives."""

    def __init__(self, store: Store, key: str, size: int) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Return True: the file is open for reading."""
        return True

    def seekable(self) -> bool:
        """Return True: reading can start at any position."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into the buffer; return the number of bytes, which is 0 at the end of the file.

        Raises:
            StorageError: the store did not respond, or the blob was deleted.
        """
        target = memoryview(buffer).cast("B")
        length = min(len(target), self._size - self._position)
        if length <= 0:
            return 0
        try:
            with storage_errors():
                data = memoryview(
                    obstore.get_range(self._store, self._key, start=self._position, length=length)
                )
        except FileNotFoundError as error:
            raise StorageError("the file was deleted during the read") from error
        target[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Set the position of the next read, and return it."""
        start = {SEEK_SET: 0, SEEK_CUR: self._position, SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position
