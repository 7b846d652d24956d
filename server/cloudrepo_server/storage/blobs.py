"""The interface of blobs: the content of files, each written once under a key of its own."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar

from cachetools import LRUCache

from cloudrepo_server.storage.blob_io import BlobReader, BlobWriter
from cloudrepo_server.storage.objects import Store

if TYPE_CHECKING:
    from obstore import AsyncWritableFile

_CACHE_BYTES = 16 << 20
_READ_AHEAD = 1 << 20
_SECONDS_PER_DELETE = 0.005


class Blobs(ABC):
    """Blobs under keys that are never used twice."""

    _delete_after_seconds: ClassVar[float]
    """The grace period of `delete_later`."""

    def __init__(self, store: Store) -> None:
        self._blob_store = store
        self._pending_deletes: dict[str, asyncio.TimerHandle] = {}
        self._small_blobs: LRUCache[str, bytes] = LRUCache(_CACHE_BYTES, getsizeof=len)
        # Every key that this process creates ends with this suffix.
        self._own_suffix = secrets.token_hex(4)

    def new_blob(self, prefix: str) -> BlobWriter:
        """Return a writer for a new blob below `prefix`, which ends with a slash."""
        key = f"{prefix}{secrets.token_hex(12)}{self._own_suffix}"
        return BlobWriter(self._blob_store, key, put=self._put, abort=self._abort)

    def is_own_write(self, key: str) -> bool:
        """Return whether this process wrote the blob; a document may not refer to it yet."""
        return key.endswith(self._own_suffix)

    async def get(self, key: str) -> bytes:
        """Return the content of a small blob, and cache it.

        Raises:
            FileNotFoundError: the blob does not exist.
            StorageError: the store did not respond.
        """
        cached = self._small_blobs.get(key)
        if cached is None:
            cached = await self._get(key)
            with contextlib.suppress(ValueError):
                self._small_blobs[key] = cached
        return cached

    def open(self, key: str, size: int) -> IO[bytes]:
        """Return a seekable file of a blob, which has this size.

        Its reads block, so read outside the event loop. They raise `StorageError` if the store
        fails.
        """
        return BufferedReader(BlobReader(self._blob_store, key, size), _READ_AHEAD)

    @abstractmethod
    def local_path(self, key: str) -> Path | None:
        """Return the path of a blob on the local disk, or None in a remote store."""

    @abstractmethod
    async def presigned_url(self, key: str) -> str | None:
        """Return a temporary public URL of a blob, or None if clients are not redirected.

        Raises:
            StorageError: the URL cannot be signed.
        """

    @abstractmethod
    def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield a blob's content from `start` up to `end`.

        Raises:
            FileNotFoundError: the blob does not exist.
            StorageError: the store did not respond.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete a blob that no document has referred to yet."""

    def delete_later(self, *keys: str) -> None:
        """Delete blobs after a grace period, so that current downloads can finish.

        No document may refer to them any more. Many blobs are deleted one after another, so that
        other requests to the store do not have to wait.
        """
        loop = asyncio.get_running_loop()
        for number, key in enumerate(keys):
            if key not in self._pending_deletes:
                delay = self._delete_after_seconds + number * _SECONDS_PER_DELETE
                self._pending_deletes[key] = loop.call_later(delay, self.delete, key)

    @abstractmethod
    async def delete_many(self, keys: Sequence[str]) -> int:
        """Delete blobs that no document refers to; return how many deletions are confirmed."""

    @abstractmethod
    async def _put(self, key: str, data: bytes) -> None:
        """Store a small blob."""

    @abstractmethod
    async def _get(self, key: str) -> bytes:
        """Read a small blob."""

    @abstractmethod
    def _abort(self, writer: AsyncWritableFile) -> None:
        """Abort the upload of a large blob."""
