"""The blobs of a store that several servers write to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import obstore
from obstore.exceptions import BaseError

from cloudrepo_server.errors import StorageError
from cloudrepo_server.keys import blobs_of, projects_of
from cloudrepo_server.storage.base import Storage
from cloudrepo_server.storage.failures import storage_errors

if TYPE_CHECKING:
    from obstore import AsyncWritableFile
    from obstore.store import AzureStore, GCSStore, S3Store

    RemoteStore = S3Store | GCSStore | AzureStore

_REMOVED_AT_ONCE = 100
_PIECE = 4 << 20
_RETIREMENT_SECONDS = 300.0
_URL_SECONDS = 120.0
_CLOSING_SECONDS = 5.0


class SharedBlobs(Storage):
    """One server's view of the blobs in a store that others write to as well."""

    shared: ClassVar[bool] = True

    def __init__(self, blobs: RemoteStore, *, presigned: bool) -> None:
        super().__init__(blobs)
        self._remote = blobs
        self._presigned = presigned
        self._retired: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait a moment for what is removed; what has to wait longer is left to a sweep."""
        for handle in self._retired.values():
            handle.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSING_SECONDS)

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002 (that of a local disk needs it)
        """Nowhere."""
        return None

    async def presigned_url(self, key: str) -> str | None:
        """Where anybody may take a blob for a while, if clients are to be sent there."""
        if not self._presigned:
            return None
        with storage_errors():
            return await obstore.sign_async(
                self._remote, "GET", key, timedelta(seconds=_URL_SECONDS)
            )

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """A blob's bytes from `start` up to `end`, in pieces, one of them ahead.

        Each is asked for by itself, so that a slow client keeps no request to the store waiting,
        and one that fails is asked for again.
        """
        ahead = self._piece(key, start, end)
        try:
            for at in range(start, end, _PIECE):
                data = await ahead
                if at + _PIECE < end:
                    ahead = self._piece(key, at + _PIECE, end)
                yield data
        finally:
            ahead.cancel()

    def delete_later(self, key: str) -> None:
        """Remove a blob that nothing refers to any more, when those who read it have had time."""
        if key not in self._retired:
            loop = asyncio.get_running_loop()
            self._retired[key] = loop.call_later(_RETIREMENT_SECONDS, self.delete, key)

    def delete(self, key: str) -> None:
        """Remove a blob that nobody can know of, soon."""
        self._retired.pop(key, None)
        self._small_blobs.pop(key, None)
        self.in_the_background(self._remove([key]))

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Remove blobs that nothing refers to."""
        for start in range(0, len(keys), _REMOVED_AT_ONCE):
            await self._remove(list(keys[start : start + _REMOVED_AT_ONCE]))

    async def delete_repository_objects(self, repository_id: str) -> None:
        """Remove all that was in a repository that is gone: no name of it comes again."""
        for prefix in (projects_of(repository_id), blobs_of(repository_id)):
            with contextlib.suppress(StorageError, OSError):
                async for batch in self.list_objects(prefix):
                    await self.delete_many([each.key for each in batch])

    async def _put(self, key: str, data: bytes) -> None:
        with storage_errors():
            await obstore.put_async(self.blobs, key, data, use_multipart=False)

    async def _get(self, key: str) -> bytes:
        with storage_errors():
            answer = await obstore.get_async(self.blobs, key)
            return bytes(await answer.bytes_async())

    def _abandon(self, writer: AsyncWritableFile) -> None:
        """Let the store forget the parts that were sent."""

        async def abort() -> None:
            error = InterruptedError("the upload ended on the way")
            with contextlib.suppress(BaseError, OSError):
                await writer.__aexit__(type(error), error, None)

        self.in_the_background(abort())

    def _piece(self, key: str, start: int, end: int) -> asyncio.Task[bytes]:
        async def get() -> bytes:
            with storage_errors():
                return bytes(
                    await obstore.get_range_async(
                        self.blobs, key, start=start, end=min(start + _PIECE, end)
                    )
                )

        return asyncio.ensure_future(get())

    async def _remove(self, keys: list[str]) -> None:
        # What cannot be removed now is left to a sweep.
        with contextlib.suppress(BaseError, OSError):
            try:
                await obstore.delete_async(self.blobs, keys)
            except FileNotFoundError:
                # So says Azure, where one is gone; the others are not.
                for key in keys:
                    with contextlib.suppress(FileNotFoundError):
                        await obstore.delete_async(self.blobs, key)

    def in_the_background(self, work: Coroutine[Any, Any, object]) -> None:
        """Let this be done meanwhile; where it fails, it is left to a sweep."""

        async def finish() -> None:
            with contextlib.suppress(StorageError):
                await work

        task = asyncio.ensure_future(finish())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
