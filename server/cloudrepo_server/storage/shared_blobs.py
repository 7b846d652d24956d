"""The blobs of a store that several servers write to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import obstore
from obstore.exceptions import BaseError

from cloudrepo_server.storage.blobs import Blobs
from cloudrepo_server.storage.failures import storage_errors

if TYPE_CHECKING:
    from obstore import AsyncWritableFile
    from obstore.store import AzureStore, GCSStore, S3Store

    from cloudrepo_server.storage.background import BackgroundTasks

    RemoteStore = S3Store | GCSStore | AzureStore

_DELETE_BATCH = 100
_CHUNK_BYTES = 4 << 20
_URL_SECONDS = 120.0


class SharedBlobs(Blobs):
    """Blobs in a remote store."""

    _delete_after_seconds: ClassVar[float] = 300.0

    def __init__(self, store: RemoteStore, *, presigned: bool, tasks: BackgroundTasks) -> None:
        """Use a store with timeouts that suit large objects.

        Args:
            store: the store.
            presigned: whether clients download from the store itself.
            tasks: where deletions run.
        """
        Blobs.__init__(self, store)
        self._remote_store = store
        self._presigned = presigned
        self._tasks = tasks

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002 (part of the interface)
        """Return None: a remote blob has no local path."""
        return None

    async def presigned_url(self, key: str) -> str | None:
        """Return a temporary public URL of a blob, or None if clients are not redirected."""
        if not self._presigned:
            return None
        with storage_errors():
            return await obstore.sign_async(
                self._remote_store, "GET", key, timedelta(seconds=_URL_SECONDS)
            )

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield a blob's content from `start` up to `end`, in chunks, one of them read ahead.

        Each chunk is a request of its own. So a slow client does not keep a request to the store
        open, and obstore can repeat a request that fails.
        """
        next_chunk = self._read_chunk(key, start, end)
        try:
            for position in range(start, end, _CHUNK_BYTES):
                data = await next_chunk
                if position + _CHUNK_BYTES < end:
                    next_chunk = self._read_chunk(key, position + _CHUNK_BYTES, end)
                yield data
        finally:
            next_chunk.cancel()

    def delete(self, key: str) -> None:
        """Delete a blob in the background."""
        self._pending_deletes.pop(key, None)
        self._small_blobs.pop(key, None)
        self._tasks.start(self._delete([key]))

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Delete blobs that no document refers to; return how many deletions are confirmed."""
        deleted = 0
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = list(keys[start : start + _DELETE_BATCH])
            if await self._delete(batch):
                deleted += len(batch)
        return deleted

    def _cancel_deletes(self) -> None:
        for handle in self._pending_deletes.values():
            handle.cancel()

    async def _put(self, key: str, data: bytes) -> None:
        with storage_errors():
            await obstore.put_async(self._blob_store, key, data, use_multipart=False)

    async def _get(self, key: str) -> bytes:
        with storage_errors():
            response = await obstore.get_async(self._blob_store, key)
            return bytes(await response.bytes_async())

    def _abort(self, writer: AsyncWritableFile) -> None:
        """Abort a multipart upload, so that the store deletes the parts that it received."""

        async def abort() -> None:
            error = InterruptedError("the upload was aborted")
            with contextlib.suppress(BaseError, OSError):
                await writer.__aexit__(type(error), error, None)

        self._tasks.start(abort())

    def _read_chunk(self, key: str, start: int, end: int) -> asyncio.Task[bytes]:
        async def read() -> bytes:
            with storage_errors():
                return bytes(
                    await obstore.get_range_async(
                        self._blob_store, key, start=start, end=min(start + _CHUNK_BYTES, end)
                    )
                )

        return asyncio.ensure_future(read())

    async def _delete(self, keys: list[str]) -> bool:
        """Return whether the store confirmed the deletion."""
        # Garbage collection deletes later what cannot be deleted now.
        with contextlib.suppress(BaseError, OSError):
            try:
                await obstore.delete_async(self._blob_store, keys)
            except FileNotFoundError:
                # Azure reports this if one of the keys does not exist; the others remain.
                for key in keys:
                    with contextlib.suppress(FileNotFoundError):
                        await obstore.delete_async(self._blob_store, key)
            return True
        return False
