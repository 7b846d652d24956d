"""Stored documents that cannot be read: what to restore from a backup, or to delete."""

import asyncio

import msgspec

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.activity import ActivityDocument
from cloudrepo_server.domain.audit import AuditDocument
from cloudrepo_server.domain.sessions import SessionDocument
from cloudrepo_server.errors import DamagedDocumentError, NotFoundError
from cloudrepo_server.keys import (
    ACTIVITY,
    AUDIT,
    CLAIMS,
    PROJECTS,
    REPOSITORIES,
    SERIALS,
    SESSIONS,
    TOKENS,
    USED_IDENTITIES,
    USERS,
)
from cloudrepo_server.models import (
    ClaimDocument,
    Document,
    ProjectDocument,
    RepositoryDocument,
    SerialsDocument,
    TokenDocument,
    UsedIdentityDocument,
    UserDocument,
)
from cloudrepo_server.specs.timestamps import format_time
from cloudrepo_server.storage import Storage, StoredObject

_KINDS: dict[str, tuple[str, type[Document]]] = {
    REPOSITORIES: ("repository", RepositoryDocument),
    USERS: ("user", UserDocument),
    TOKENS: ("token", TokenDocument),
    SESSIONS: ("session", SessionDocument),
    PROJECTS: ("project", ProjectDocument),
    CLAIMS: ("claim", ClaimDocument),
    SERIALS: ("serials", SerialsDocument),
    USED_IDENTITIES: ("identity", UsedIdentityDocument),
    ACTIVITY: ("activity", ActivityDocument),
    AUDIT: ("audit", AuditDocument),
}
_MAX_LISTED = 1000
_CONCURRENT_READS = 16


class DamagedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that cannot be read, with its kind, its key and the reason."""

    kind: str
    key: str
    reason: str
    modified: str
    """When it was last written. The damage happened at this time or later."""


class DamagedDocuments:
    """The damaged documents of a store."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @property
    def has_known(self) -> bool:
        """Whether a read has found a damaged document that is not deleted yet."""
        return any(_kind_of(key) is not None for key in self._storage.damaged_keys)

    async def all(self) -> list[DamagedDocument]:
        """Read all documents, and return those that are damaged, at most 1,000.

        Raises:
            StorageError: the store did not respond.
        """
        damaged: list[DamagedDocument] = []
        for folder in _KINDS:
            async for batch in self._storage.list_objects(folder):
                for start in range(0, len(batch), _CONCURRENT_READS):
                    found = await asyncio.gather(
                        *(self._check(each) for each in batch[start : start + _CONCURRENT_READS])
                    )
                    damaged += (each for each in found if each is not None)
                    if len(damaged) >= _MAX_LISTED:
                        return sorted(damaged[:_MAX_LISTED], key=lambda each: each.key)
                    # Let the server handle requests in between.
                    await asyncio.sleep(0)
        # Damaged documents that were deleted with their repository are not damaged any more.
        self._storage.damaged_keys.intersection_update([each.key for each in damaged])
        return sorted(damaged, key=lambda each: each.key)

    async def find(self, key: str) -> DamagedDocument:
        """Return the damaged document under a key.

        Raises:
            NotFoundError: there is no damaged document under this key.
            StorageError: the store did not respond.
        """
        if _kind_of(key) is not None:
            async for batch in self._storage.list_objects(key.rpartition("/")[0] + "/"):
                for stored in batch:
                    damaged = await self._check(stored) if stored.key == key else None
                    if damaged is not None:
                        return damaged
        raise _not_found(key)

    async def delete(self, key: str) -> None:
        """Delete a damaged document.

        Raises:
            NotFoundError: there is no damaged document under this key.
            StorageError: the store did not respond.
        """
        kind = _kind_of(key)
        if kind is None or not await self._storage.delete_damaged(key, kind[1]):
            raise _not_found(key)
        note_change("delete-damaged", subject=key)

    async def _check(self, stored: StoredObject) -> DamagedDocument | None:
        kind = _kind_of(stored.key)
        if kind is not None:
            try:
                await self._storage.read_uncached(stored.key, kind[1])
            except DamagedDocumentError as error:
                return DamagedDocument(
                    kind=kind[0],
                    key=stored.key,
                    reason=str(error),
                    modified=format_time(stored.modified),
                )
        return None


def _not_found(key: str) -> NotFoundError:
    return NotFoundError(f"No damaged document was found under the key {key[:200]!r}.")


def _kind_of(key: str) -> tuple[str, type[Document]] | None:
    folder, slash, name = key.partition("/")
    # No stored key has such parts; on the local disk they would lead out of the folder.
    if {"", ".", ".."} & set(name.split("/")) or not key.isprintable() or "\\" in key:
        return None
    return _KINDS.get(folder + slash)
