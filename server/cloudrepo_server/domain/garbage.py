"""Garbage collection: deletes stored objects that no document refers to.

One change of a document makes a file visible, after its blobs are written. One change makes it
invisible, before its blobs are deleted. A server that is killed in between leaves blobs that no
document refers to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from dataclasses import dataclass

from cloudrepo_server.domain.orphaned_blobs import OrphanedBlobs, list_keys
from cloudrepo_server.domain.sessions import Sessions
from cloudrepo_server.domain.staged_file import SAFE_AGE_SECONDS
from cloudrepo_server.domain.tokens import is_expired
from cloudrepo_server.domain.used_identities import delete_expired_identities
from cloudrepo_server.errors import StorageError
from cloudrepo_server.keys import (
    ACTIVITY,
    BLOBS,
    CLAIMS,
    DOCUMENTS,
    PROJECTS,
    REPOSITORIES,
    SERIALS,
    TOKENS,
    USED_IDENTITIES,
    claims_of,
    project_key,
)
from cloudrepo_server.models import (
    ClaimDocument,
    ProjectDocument,
    RepositoryDocument,
    TokenDocument,
)
from cloudrepo_server.storage import Storage

log = logging.getLogger("cloudrepo_server")

# Younger blobs of a shared store are always kept: see `SAFE_AGE_SECONDS`. The clocks of stores have
# a resolution of one second.
_MIN_AGE = SAFE_AGE_SECONDS + 1.5


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """The number of objects that were deleted, by kind."""

    blobs: int = 0
    repositories: int = 0
    tokens: int = 0
    sessions: int = 0
    tombstones: int = 0
    partial_files: int = 0
    unreadable: tuple[str, ...] = ()
    """The repositories whose blobs were kept, because a document cannot be read.

    These are their names, or the ids of all repositories if a repository document is unreadable.
    """

    @property
    def any(self) -> bool:
        """Whether anything was deleted."""
        return any(
            (
                self.blobs,
                self.repositories,
                self.tokens,
                self.sessions,
                self.tombstones,
                self.partial_files,
            )
        )

    def __str__(self) -> str:
        return (
            f"blobs: {self.blobs}, leftovers of deleted repositories: {self.repositories}, "
            f"tokens: {self.tokens}, sessions: {self.sessions}, tombstones: {self.tombstones}, "
            f"unfinished files: {self.partial_files}"
        )


async def collect_garbage(
    storage: Storage, *, older_than: float = 0.0, grace: float = 0.0
) -> GarbageReport:
    """Delete stored objects that no document refers to. Clients may read and write meanwhile.

    Blobs that this process wrote are never deleted.

    Args:
        storage: the store to clean.
        older_than: the minimum age in seconds of a blob that is deleted. If other processes write
            to the store, an upload that takes longer may fail.
        grace: the seconds between finding an orphaned blob and deleting it, so that clients can
            finish downloads.

    Raises:
        StorageError: the store did not respond.
    """
    now = await storage.current_time()
    written_before = now - older_than if older_than else math.inf
    partial_files = await storage.delete_partial_files()
    # List tokens and folders first. Otherwise a repository that is created meanwhile would look
    # deleted.
    token_keys = [key async for key in list_keys(storage, TOKENS)]
    stored_ids: set[str] = set()
    for folder in (PROJECTS, BLOBS, CLAIMS, SERIALS, USED_IDENTITIES, ACTIVITY):
        stored_ids.update(await storage.list_folders(folder))
    try:
        names = await _repository_names(storage)
    except StorageError:
        # Any of these repositories may be the one whose document is unreadable, so keep them all.
        return GarbageReport(partial_files=partial_files, unreadable=tuple(sorted(stored_ids)))
    deleted_ids = sorted(stored_ids - set(names))
    for repository_id in deleted_ids:
        await storage.delete_repository_objects(repository_id)
    tokens = await _delete_orphaned_tokens(storage, token_keys, set(names))
    sessions = await Sessions(storage).delete_expired()
    blobs = 0
    orphaned = OrphanedBlobs(
        storage,
        written_before=min(written_before, now - _MIN_AGE) if storage.shared else written_before,
    )
    unreadable: list[str] = []

    async def delete_orphaned() -> int:
        count, skipped = await orphaned.delete()
        unreadable.extend(names[repository_id] for repository_id in skipped)
        return count

    for repository_id in sorted(stored_ids & set(names)):
        await _delete_stale_claims(storage, repository_id, written_before=written_before)
        await delete_expired_identities(storage, repository_id)
        try:
            await orphaned.find(repository_id)
        except StorageError:
            unreadable.append(names[repository_id])
        # Without a grace period, remember the blobs of one repository only.
        if orphaned and not grace:
            blobs += await delete_orphaned()
    if orphaned:
        await asyncio.sleep(grace)
        blobs += await delete_orphaned()
    tombstones = 0
    for prefix in DOCUMENTS:
        tombstones += await storage.purge_tombstones(prefix, before=written_before)
    return GarbageReport(
        blobs=blobs,
        repositories=len(deleted_ids),
        tokens=tokens,
        sessions=sessions,
        tombstones=tombstones,
        partial_files=partial_files,
        unreadable=tuple(unreadable),
    )


async def collect_garbage_after_start(storage: Storage) -> None:
    """Delete what a killed server left in the store, and log how much that was."""
    try:
        report = await collect_garbage(storage)
    except StorageError as error:
        log.warning("Garbage collection failed: %s", error)
        return
    if report.any:
        log.info("Garbage collection deleted what a killed server left: %s", report)
    if report.unreadable:
        log.warning(
            "Garbage collection skipped %s: a document cannot be read",
            ", ".join(report.unreadable),
        )


async def _repository_names(storage: Storage) -> dict[str, str]:
    names = {}
    async for key in list_keys(storage, REPOSITORIES):
        document = await storage.read_uncached(key, RepositoryDocument)
        if document is not None:
            names[document.id] = document.name
    return names


async def _delete_orphaned_tokens(
    storage: Storage, keys: list[str], repository_ids: set[str]
) -> int:
    deleted = 0
    for key in keys:
        try:
            token = await storage.read_uncached(key, TokenDocument)
        except StorageError:
            continue
        if token is not None and (token.repository_id not in repository_ids or is_expired(token)):
            await storage.change(key, TokenDocument, lambda _: None)
            deleted += 1
    return deleted


async def _delete_stale_claims(
    storage: Storage, repository_id: str, *, written_before: float
) -> None:
    # An upload in progress is safe: it claims its file name again after this.
    async for batch in storage.list_objects(claims_of(repository_id)):
        for stored in batch:
            if stored.modified > written_before:
                continue
            with contextlib.suppress(StorageError):
                await _delete_stale_claim(storage, repository_id, stored.key)


async def _delete_stale_claim(storage: Storage, repository_id: str, key: str) -> None:
    claim = await storage.read_uncached(key, ClaimDocument)
    if claim is None:
        return
    project = await storage.read_uncached(
        project_key(repository_id, claim.project), ProjectDocument
    )
    if project is not None and (
        not claim.filename or claim.filename in project.files or claim.filename in project.deleted
    ):
        return

    def delete(existing: ClaimDocument | None) -> ClaimDocument | None:
        changed = existing is not None and existing.revision != claim.revision
        return existing if changed else None

    await storage.change(key, ClaimDocument, delete)
