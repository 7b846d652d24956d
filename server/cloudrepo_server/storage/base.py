"""The storage interface: documents, blobs and maintenance of one store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar

from cloudrepo_server.keys import is_blob
from cloudrepo_server.storage.blobs import Blobs
from cloudrepo_server.storage.documents import Documents
from cloudrepo_server.storage.maintenance import Maintenance
from cloudrepo_server.storage.objects import Store, StoredObject, list_folders, list_objects


class Storage(Documents, Blobs, Maintenance):
    """One process's connection to an object store."""

    shared: ClassVar[bool]
    """Whether other servers write to the store too."""

    @abstractmethod
    async def check(self) -> None:
        """Check that the store is available.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish pending work and disconnect from the store."""

    def list_objects(self, prefix: str) -> AsyncIterator[list[StoredObject]]:
        """Yield the objects below `prefix` in batches, in no particular order."""
        return list_objects(self._store_of(prefix), prefix)

    async def list_folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly below `prefix`."""
        return await list_folders(self._store_of(prefix), prefix)

    def _store_of(self, prefix: str) -> Store:
        return self._blob_store if is_blob(prefix) else self._document_store
