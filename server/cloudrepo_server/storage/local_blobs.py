"""The blobs of a store that one process owns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore

from cloudrepo_server.storage.blob_io import SMALL_BLOB
from cloudrepo_server.storage.blobs import Blobs
from cloudrepo_server.storage.failures import storage_errors

if TYPE_CHECKING:
    from obstore import AsyncWritableFile

_DELETE_BATCH = 100
# Only Windows distinguishes text files from binary files.
_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY
if sys.platform == "win32":
    # Without this flag, each line feed would become two characters.
    _NEW_FILE |= os.O_BINARY


class LocalBlobs(Blobs):
    """Blobs in a folder of the local disk, or in memory."""

    _delete_after_seconds: ClassVar[float] = 60.0

    def __init__(self, store: LocalStore | MemoryStore, folder: Path | None) -> None:
        Blobs.__init__(self, store)
        self._folder = folder

    def local_path(self, key: str) -> Path | None:
        """Return the path of a blob on the local disk, or None for a blob in memory."""
        return None if self._folder is None else self._folder / key

    async def presigned_url(self, key: str) -> str | None:  # noqa: ARG002 (part of the interface)
        """Return None: clients are never redirected to the local disk."""
        return None

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield a blob's content from `start` up to `end`."""
        with storage_errors():
            result = await obstore.get_async(self._blob_store, key, options={"range": (start, end)})
            async for chunk in result.stream(min_chunk_size=SMALL_BLOB):
                yield bytes(chunk)

    def delete(self, key: str) -> None:
        """Delete a blob; ignore a failure, since garbage collection tries again."""
        self._pending_deletes.pop(key, None)
        self._small_blobs.pop(key, None)
        with contextlib.suppress(FileNotFoundError, BaseError):
            obstore.delete(self._blob_store, key)

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Delete blobs, and let other tasks run after each batch; return their number."""
        for start in range(0, len(keys), _DELETE_BATCH):
            for key in keys[start : start + _DELETE_BATCH]:
                self.delete(key)
            await asyncio.sleep(0)
        return len(keys)

    def _finish_deletes(self) -> None:
        for key, handle in list(self._pending_deletes.items()):
            handle.cancel()
            self.delete(key)

    async def _put(self, key: str, data: bytes) -> None:
        with storage_errors():
            if self._folder is None:
                obstore.put(self._blob_store, key, data, use_multipart=False)
            else:
                _create(f"{self._folder}/{key}", data)

    async def _get(self, key: str) -> bytes:
        with storage_errors():
            return bytes(obstore.get(self._blob_store, key).bytes())

    def _abort(self, writer: AsyncWritableFile) -> None:
        """Do nothing: obstore deletes its partial file as soon as the writer is released."""


def _create(path: str, data: bytes) -> None:
    # obstore would write to a temporary name first. No document refers to a blob before it is
    # complete, so the final name is safe and saves a rename. pathlib would double the time.
    try:
        file = os.open(path, _NEW_FILE, 0o666)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, _NEW_FILE, 0o666)
    try:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(file, left) :]
        finally:
            os.close(file)
    except OSError:
        with contextlib.suppress(OSError):
            Path(path).unlink()
        raise
