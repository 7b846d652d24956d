"""The bytes of a published file, or of its core metadata."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from cloudrepo_server.storage import SMALL_BLOB, Storage


class StoredFile(msgspec.Struct, frozen=True):
    """A blob with its size and digest."""

    size: int
    sha256: str
    _storage: Storage
    _key: str

    @property
    def small(self) -> bool:
        """Whether it is best taken in one piece."""
        return self.size <= SMALL_BLOB

    @property
    def path(self) -> Path | None:
        """Where it lies on the local disk, if it does."""
        return self._storage.local_path(self._key)

    async def url(self) -> str | None:
        """Where anybody may take it for a while, if that is where clients are to be sent.

        Raises:
            StorageError: the storage did not answer.
        """
        return await self._storage.presigned_url(self._key)

    async def read(self) -> bytes:
        """All bytes.

        Raises:
            FileNotFoundError: it was removed.
            StorageError: the storage did not answer.
        """
        return await self._storage.get(self._key)

    def stream(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end`.

        Raises:
            FileNotFoundError: it was removed.
            StorageError: the storage did not answer.
        """
        return self._storage.stream(self._key, start, end)
