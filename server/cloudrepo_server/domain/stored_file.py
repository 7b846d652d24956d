"""The content of a published file, or of its core metadata."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

import msgspec

from cloudrepo_server.storage import SMALL_BLOB, Blobs


class StoredFile(msgspec.Struct, frozen=True):
    """A blob with its size and digest."""

    size: int
    sha256: str
    _blobs: Blobs
    _key: str

    @property
    def is_small(self) -> bool:
        """Whether it is small enough to be read into memory."""
        return self.size <= SMALL_BLOB

    @property
    def path(self) -> Path | None:
        """The path on the local disk, or None."""
        return self._blobs.local_path(self._key)

    async def url(self) -> str | None:
        """Return a presigned URL, or None if downloads are not redirected to the store.

        Raises:
            StorageError: the store did not respond.
        """
        return await self._blobs.presigned_url(self._key)

    async def read(self) -> bytes:
        """Return the whole content.

        Raises:
            FileNotFoundError: it was deleted.
            StorageError: the store did not respond.
        """
        return await self._blobs.get(self._key)

    def open(self) -> IO[bytes]:
        """Open the content for reading, which may block.

        Its reads raise `StorageError` if it was deleted, or if the store did not respond.
        """
        return self._blobs.open(self._key, self.size)

    def stream(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Return the bytes from `start` up to, but not including, `end`.

        Raises:
            FileNotFoundError: it was deleted.
            StorageError: the store did not respond.
        """
        return self._blobs.stream(self._key, start, end)
