"""The storage that one process owns: a folder of the local disk, or memory."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar, Protocol, Self

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore

from cloudrepo_server.errors import StorageError, StorageInUseError, StorageLostError
from cloudrepo_server.keys import (
    activity_of,
    blobs_of,
    claims_of,
    projects_of,
    serials_of,
    used_identities_of,
)
from cloudrepo_server.storage.base import Storage
from cloudrepo_server.storage.failures import no_store, storage_errors
from cloudrepo_server.storage.format import CURRENT_FORMAT, FORMAT_KEY, check_format
from cloudrepo_server.storage.local_blobs import LocalBlobs
from cloudrepo_server.storage.local_documents import LocalDocuments
from cloudrepo_server.storage.objects import Store, StoredObject
from cloudrepo_server.storage.permissions import create_private_folders
from cloudrepo_server.storage.symbolic_links import LinkFilter

_DELETE_BATCH = 100
_SCAN_BATCH = 1000
# obstore's name for a file that is not complete yet. obstore neither lists nor deletes such files.
_PARTIAL_FILE = re.compile(r"#\d+\Z")


class Lock(Protocol):
    """The lock that gives this process exclusive access to the folder."""

    def release(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 (filelock's own signature)
        """Release the folder to other processes."""


class LocalStorage(LocalDocuments, LocalBlobs, Storage):
    """Storage that only this process writes to."""

    shared: ClassVar[bool] = False

    def __init__(
        self,
        store: LocalStore | MemoryStore,
        *,
        documents: LocalStore | MemoryStore | None = None,
        folder: Path | None = None,
        temporary: bool = False,
        lock: Lock | None = None,
    ) -> None:
        """Create storage from stores that exist already.

        Args:
            store: the store of blobs, and of documents unless `documents` is given.
            documents: the store of documents.
            folder: the folder of `store`; None for a store in memory.
            temporary: whether `close` deletes the folder.
            lock: the lock to release in `close`.
        """
        LocalDocuments.__init__(self, store if documents is None else documents)
        LocalBlobs.__init__(self, store, folder)
        self._temporary = temporary
        self._lock = lock

    @classmethod
    def in_temporary_folder(cls) -> Self:
        """Return storage in a new temporary folder, which `close` deletes.

        Only blobs are in the folder. The documents stay in memory: they are not needed after the
        process ends, and replacing a file is far slower than writing a new one.
        """
        folder = Path(tempfile.mkdtemp(prefix="cloudrepo-"))
        (folder / FORMAT_KEY).write_bytes(CURRENT_FORMAT)
        return cls(LocalStore(folder), documents=MemoryStore(), folder=folder, temporary=True)

    @classmethod
    def in_folder(cls, folder: Path, *, create: bool = True) -> Self:
        """Return storage in a folder that outlives the process.

        Args:
            folder: the folder.
            create: whether to create the folder if it is missing.

        Raises:
            StorageInUseError: another process owns the folder.
            StorageError: the folder is missing, cannot be created or written to, other users can
                read it, or a later version of the server wrote it.
        """
        # Imported here, since the more frequent temporary folder needs no lock.
        from filelock import FileLock, Timeout

        store = folder / "store"
        if not create and not store.is_dir():
            raise no_store(str(folder))
        try:
            create_private_folders(folder, store)
            lock = FileLock(folder / "lock", timeout=0, mode=0o600)
            lock.acquire()
        except Timeout:
            raise StorageInUseError(
                f"another server already uses {folder}: stop it, or give --data another folder"
            ) from None
        except OSError as error:
            raise StorageError(f"cannot write to {store}: {error.strerror}") from error
        try:
            _check_format(store)
        except BaseException:
            lock.release()
            raise
        return cls(LocalStore(store), folder=store, lock=lock)

    @classmethod
    def in_memory(cls) -> Self:
        """Return storage without any folder, for tests of this package."""
        return cls(MemoryStore())

    async def check(self) -> None:
        """Check that the store can write and delete, and that the data are still there."""
        # A write would recreate a deleted folder, without the data.
        if self._folder is not None and not (self._folder / FORMAT_KEY).exists():
            raise StorageLostError(
                "the data folder was deleted or replaced since the start: restart the server"
            )
        key = f"checks/{secrets.token_hex(8)}"
        with storage_errors():
            # Even a full disk has room for an empty file, so write some content.
            obstore.put(self._blob_store, key, b"check", use_multipart=False)
            obstore.delete(self._blob_store, key)

    async def close(self) -> None:
        """Finish pending deletions, delete a temporary folder, and release the lock."""
        self._finish_deletes()
        if self._temporary and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.release()

    async def current_time(self) -> float:
        """Return the time of this machine."""
        return time.time()

    async def list_objects(self, prefix: str) -> AsyncIterator[list[StoredObject]]:
        """Yield the objects below `prefix` in batches, but none that is behind a symbolic link."""
        links = LinkFilter(self._folder)
        async for batch in super().list_objects(prefix):
            yield [each for each in batch if links.is_inside(each.key)]

    async def delete_repository_objects(self, repository_id: str) -> None:
        """Delete everything that a deleted repository contained, a few objects at a time."""
        for folder in (projects_of, claims_of, serials_of, used_identities_of, activity_of):
            documents = folder(repository_id)
            self._drop_listing(documents)
            await self._delete_folder(self._document_store, documents)
        await self._delete_folder(self._blob_store, blobs_of(repository_id))

    async def _delete_folder(self, store: Store, prefix: str) -> None:
        links = LinkFilter(self._folder)
        with contextlib.suppress(BaseError, OSError):
            for batch in obstore.list(store, prefix, chunk_size=_DELETE_BATCH):
                for key in filter(links.is_inside, [meta["path"] for meta in batch]):
                    self._cached.pop(key, None)
                    self._small_blobs.pop(key, None)
                    with contextlib.suppress(FileNotFoundError, BaseError):
                        obstore.delete(store, key)
                await asyncio.sleep(0)
        if self._folder is not None:
            # obstore leaves empty folders, which every later start would list again.
            with contextlib.suppress(OSError):
                (self._folder / prefix).rmdir()

    async def announce_deletion(self, repository_id: str, *, written_before: float) -> str:  # noqa: ARG002 (part of the interface)
        """Return an empty announcement: no other server uses this store."""
        return ""

    async def withdraw_deletion(self, announcement: str) -> None:
        """Do nothing: no other server uses this store."""

    async def announced_deletion(self, repository_id: str) -> float:  # noqa: ARG002 (part of the interface)
        """Return negative infinity: garbage collection keeps what this process wrote."""
        return -math.inf

    async def purge_tombstones(self, prefix: str, *, before: float) -> int:  # noqa: ARG002 (part of the interface)
        """Return 0: deleted documents leave no tombstones in a local store."""
        return 0

    async def delete_partial_files(self) -> int:
        """Delete files that a killed process wrote only in part; return their number."""
        deleted = 0
        folders = [] if self._folder is None else [self._folder]
        while folders:
            # Another task may delete the folder meanwhile.
            with contextlib.suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
                for number, entry in enumerate(entries):
                    key = entry.name.rpartition("#")[0]
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif _PARTIAL_FILE.search(entry.name) and not self.is_own_write(key):
                        deleted += _unlink(Path(entry.path))
                    if number % _SCAN_BATCH == 0:
                        await asyncio.sleep(0)
        return deleted


def _check_format(store: Path) -> None:
    path = store / FORMAT_KEY
    try:
        check_format(path.read_bytes(), str(store))
    except FileNotFoundError:
        # A new folder, or a folder of an early version, which wrote format 1 without this file.
        try:
            path.write_bytes(CURRENT_FORMAT)
        except OSError as error:
            raise StorageError(f"cannot write to {store}: {error.strerror}") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
