"""Serials: numbers that grow with every change of a repository's projects, as on PyPI.

A mirror reads the serial of each project from the root page. It then reads the projects whose
serials are greater than the greatest one that it knows. So a serial may only be assigned after the
change is visible, and all serials of a repository are in one document.

A server may end between a change and its serial. Then the first request for
the project's page assigns the serial. The document therefore states the revision of each serial.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable

import msgspec

from cloudrepo_server.errors import CloudRepoServerError, DamagedDocumentError
from cloudrepo_server.keys import project_key, serials_key
from cloudrepo_server.models import (
    ProjectDocument,
    ProjectSerial,
    RepositoryDocument,
    SerialsDocument,
)
from cloudrepo_server.storage import Storage

log = logging.getLogger("cloudrepo_server")

_PROJECTS_AT_ONCE = 500


class Serials:
    """The serials of one repository."""

    def __init__(self, storage: Storage, repository: RepositoryDocument) -> None:
        self._storage = storage
        self._repository = repository

    async def read(self) -> SerialsDocument:
        """Return the serials that were assigned so far.

        Raises:
            StorageError: the store did not respond.
        """
        key = serials_key(self._repository.id)
        try:
            return await self._storage.read(key, SerialsDocument) or SerialsDocument()
        except DamagedDocumentError as error:
            self._storage.report_damage(error)
            return await self._start_again(key)

    def prefetch(self) -> None:
        """Start reading the serials in the background."""
        self._storage.prefetch((serials_key(self._repository.id), SerialsDocument))

    async def record(self, name: str) -> None:
        """Assign a new serial to a project that has changed.

        A failure is logged and not raised, because the change itself is visible already.
        """
        try:
            await self._assign([name])
        except CloudRepoServerError as error:
            log.warning(
                "The change of the project %s in the repository %s has no serial yet: %s",
                name,
                self._repository.name,
                error,
            )

    async def of_project(self, project: ProjectDocument, known: SerialsDocument) -> int:
        """Return the serial of a revision of a project.

        Args:
            project: the project, in this revision.
            known: the serials, read before the project.
        """
        serial = known.projects.get(project.name)
        if serial is not None and serial.revision == project.revision:
            return serial.number
        await self.record(project.name)
        current = (await self.read()).projects.get(project.name)
        if current is not None and current.revision == project.revision:
            return current.number
        # The project changed again meanwhile. An old serial makes mirrors read the project again.
        return 0 if serial is None else serial.number

    async def of_all(self, names: Collection[str], known: SerialsDocument) -> SerialsDocument:
        """Return the serials of all projects, after assigning those that `known` lacks.

        Args:
            names: the names of all projects of the repository, listed after `known` was read.
            known: the serials.
        """
        changed = known.projects.keys() ^ set(names)
        # Other dialects assign no serials. After any change of the settings, read every project.
        settings = self._repository.revision
        if known.settings != settings:
            changed = known.projects.keys() | set(names)
        if not changed and known.settings == settings:
            return known
        try:
            ordered = sorted(changed)
            for start in range(0, len(ordered), _PROJECTS_AT_ONCE):
                await self._assign(ordered[start : start + _PROJECTS_AT_ONCE])
            await self._assign([], settings=settings)
        except CloudRepoServerError as error:
            log.warning(
                "Some projects of the repository %s have no serial yet: %s",
                self._repository.name,
                error,
            )
        return await self.read()

    async def _start_again(self, key: str) -> SerialsDocument:
        # The last serial is unknown. No repository has had as many changes as seconds have passed
        # since 1970, so new serials are greater than the lost ones.
        await self._storage.delete_damaged(key, SerialsDocument)

        def create(existing: SerialsDocument | None) -> SerialsDocument:
            return existing or SerialsDocument(last=int(time.time()))

        await self._storage.change(key, SerialsDocument, create)
        return await self._storage.read(key, SerialsDocument) or SerialsDocument()

    async def _assign(self, names: Iterable[str], *, settings: str | None = None) -> None:
        keys = {name: project_key(self._repository.id, name) for name in names}
        revisions: dict[str, str | None] = {}

        async def read_projects(_: SerialsDocument | None) -> None:
            self._storage.require_fresh()
            self._storage.prefetch(*((key, ProjectDocument) for key in keys.values()))
            for name, key in keys.items():
                project = await self._storage.read(key, ProjectDocument)
                revisions[name] = None if project is None else project.revision

        def assign(existing: SerialsDocument | None) -> SerialsDocument | None:
            return _with_revisions(existing, revisions, settings)

        key = serials_key(self._repository.id)
        await self._storage.change(key, SerialsDocument, assign, prepare=read_projects)


def _with_revisions(
    existing: SerialsDocument | None, revisions: dict[str, str | None], settings: str | None
) -> SerialsDocument | None:
    document = existing or SerialsDocument()
    last, projects = document.last, dict(document.projects)
    for name, revision in revisions.items():
        known = projects.get(name)
        if (None if known is None else known.revision) == revision:
            continue
        last += 1
        if revision is None:
            del projects[name]
        else:
            projects[name] = ProjectSerial(last, revision)
    settings = document.settings if settings is None else settings
    if last == document.last and settings == document.settings:
        return existing
    return msgspec.structs.replace(document, last=last, projects=projects, settings=settings)
