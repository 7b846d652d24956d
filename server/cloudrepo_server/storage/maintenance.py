"""The interface of maintenance: list stored objects with their ages, and delete leftovers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

from cloudrepo_server.storage.objects import StoredObject


class Maintenance(ABC):
    """Operations of garbage collection; each prefix ends with a slash."""

    @abstractmethod
    def list_objects(self, prefix: str) -> AsyncIterator[list[StoredObject]]:
        """Yield the objects below `prefix` in batches, in no particular order.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def list_folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly below `prefix`.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def current_time(self) -> float:
        """Return the time of the store's clock, which also sets the objects' modification times.

        Raises:
            StorageError: the store did not respond.
        """

    async def ages(self, prefix: str) -> dict[str, float]:
        """Return the seconds since the last change of each object below `prefix`, by key.

        Ages are measured with the store's clock, since the clocks of servers may differ.

        Raises:
            StorageError: the store did not respond.
        """
        now = await self.current_time()
        # Some stores return this time in whole seconds, but list objects with more precise times,
        # so the difference may be negative.
        return {
            each.key: max(0.0, now - each.modified)
            async for batch in self.list_objects(prefix)
            for each in batch
        }

    @abstractmethod
    async def delete_repository_objects(self, repository_id: str) -> None:
        """Delete everything that a deleted repository contained, a few objects at a time."""

    @abstractmethod
    async def purge_tombstones(self, prefix: str, *, before: float) -> int:
        """Delete tombstones below `prefix` that are older than `before`; return their number.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def announce_deletion(self, repository_id: str, *, written_before: float) -> str:
        """Announce the deletion of unreferenced blobs to other servers; return the announcement.

        The caller announces the deletion, then finds out which blobs are referenced, and then
        deletes the others. A server makes a file visible first, and looks for announcements
        afterwards. Either the caller finds the reference, or the server finds the announcement.
        The server then waits until the announcement is withdrawn, and removes the file again if its
        blobs were deleted.

        Args:
            repository_id: the repository of the blobs.
            written_before: no blob that was written later will be deleted.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def withdraw_deletion(self, announcement: str) -> None:
        """Withdraw an announcement, after all deletions were confirmed.

        An announcement that stays is harmless, because it applies only to older blobs.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def announced_deletion(self, repository_id: str) -> float:
        """Return the latest `written_before` of the announcements of a repository.

        The result is negative infinity if no deletion is announced.

        Raises:
            StorageError: the store did not respond.
        """

    async def delete_partial_files(self) -> int:
        """Delete files that a killed process wrote only in part; return their number."""
        return 0
