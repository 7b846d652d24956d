"""Stored documents that cannot be read: what to restore from a backup, or to delete."""

import asyncio

import msgspec

from cloudrepo_server.domain.sessions import SessionDocument
from cloudrepo_server.errors import DamagedDocumentError, NotFoundError
from cloudrepo_server.keys import (
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
from cloudrepo_server.storage import Storage

_KINDS: dict[str, tuple[str, type[Document]]] = {
    REPOSITORIES: ("repository", RepositoryDocument),
    USERS: ("user", UserDocument),
    TOKENS: ("token", TokenDocument),
    SESSIONS: ("session", SessionDocument),
    PROJECTS: ("project", ProjectDocument),
    CLAIMS: ("claim", ClaimDocument),
    SERIALS: ("serials", SerialsDocument),
    USED_IDENTITIES: ("identity", UsedIdentityDocument),
}
_MAX_LISTED = 1000
_CONCURRENT_READS = 16


class DamagedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that cannot be read, with its kind, its key and the reason."""

    kind: str
    key: str
    reason: str


class DamagedDocuments:
    """The damaged documents of a store."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def all(self) -> list[DamagedDocument]:
        """Read all documents, and return those that are damaged, at most 1,000.

        Raises:
            StorageError: the store did not respond.
        """
        damaged: list[DamagedDocument] = []
        for folder in _KINDS:
            async for batch in self._storage.list_objects(folder):
                keys = [stored.key for stored in batch]
                for start in range(0, len(keys), _CONCURRENT_READS):
                    found = await asyncio.gather(
                        *(self._check(key) for key in keys[start : start + _CONCURRENT_READS])
                    )
                    damaged += (each for each in found if each is not None)
                    if len(damaged) >= _MAX_LISTED:
                        return sorted(damaged[:_MAX_LISTED], key=lambda each: each.key)
                    # Let the server handle requests in between.
                    await asyncio.sleep(0)
        return sorted(damaged, key=lambda each: each.key)

    async def delete(self, key: str) -> None:
        """Delete a damaged document.

        Raises:
            NotFoundError: there is no damaged document under this key.
            StorageError: the store did not respond.
        """
        kind = _kind_of(key)
        if kind is None or not await self._storage.delete_damaged(key, kind[1]):
            raise NotFoundError(f"No damaged document was found under the key {key[:200]!r}.")

    async def _check(self, key: str) -> DamagedDocument | None:
        kind = _kind_of(key)
        if kind is not None:
            try:
                await self._storage.read_uncached(key, kind[1])
            except DamagedDocumentError as error:
                return DamagedDocument(kind=kind[0], key=key, reason=str(error))
        return None


def _kind_of(key: str) -> tuple[str, type[Document]] | None:
    folder, slash, name = key.partition("/")
    # No stored key has such parts; on the local disk they would lead out of the folder.
    if {"", ".", ".."} & set(name.split("/")) or not key.isprintable() or "\\" in key:
        return None
    return _KINDS.get(folder + slash)
