"""One repository: publish, replace, yank, delete."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import cast

import msgspec

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.overwrite import UploadTarget, decide
from cloudrepo_server.domain.staged_file import DIGEST_FIELDS, StagedFile
from cloudrepo_server.domain.stored_file import StoredFile
from cloudrepo_server.errors import (
    CloudRepoServerError,
    InvalidError,
    NotFoundError,
    StagedFileLostError,
    StorageError,
    UncertainError,
)
from cloudrepo_server.keys import blobs_of, project_key, project_name, projects_of, repository_key
from cloudrepo_server.limits import Limits
from cloudrepo_server.models import File, ProjectDocument, RepositoryDocument
from cloudrepo_server.specs.dialect import get_dialect
from cloudrepo_server.specs.filenames import (
    ArchiveMetadata,
    DistributionName,
    check_filename,
    check_project_name,
)
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Storage

STATUSES = ("active", "archived", "quarantined", "deprecated")
"""https://packaging.python.org/specifications/project-status-markers/"""

_EXPECTED_AT_ONCE = 50


def repository_not_found(name: str) -> NotFoundError:
    """Return the error for a missing repository; CloudRepo's own client looks for its words."""
    return NotFoundError(f"The repository could not be found: {name[:64]}")


class Repository:
    """A repository with the settings that it had when it was asked for."""

    def __init__(self, storage: Storage, document: RepositoryDocument, limits: Limits) -> None:
        self.document = document
        self.dialect = get_dialect(document.dialect)
        self._storage = storage
        self._limits = limits

    @property
    def name(self) -> str:
        """The name in the URL."""
        return self.document.name

    async def project_names(self) -> list[str]:
        """The normalized names of all projects, sorted."""
        listing = await self._storage.listing(projects_of(self.document.id))
        return [project_name(name) for name in listing.names]

    async def listing_revision(self) -> str:
        """What is another as soon as there are other projects."""
        return (await self._storage.listing(projects_of(self.document.id))).revision

    def prefetch(self, *names: str) -> None:
        """Say that projects of these names, normalized or not, will be asked for."""
        for name in names:
            with contextlib.suppress(InvalidError):
                self._storage.prefetch(
                    (self._project_key(check_project_name(name)), ProjectDocument)
                )

    async def project(self, name: str) -> ProjectDocument | None:
        """The project of that name, normalized or not, or None."""
        try:
            normalized = check_project_name(name)
        except InvalidError:
            return None
        return await self._storage.read(self._project_key(normalized), ProjectDocument)

    async def find(self, filename: str) -> tuple[ProjectDocument, File]:
        """A file by its name alone, with its project.

        Raises:
            NotFoundError: there is none.
        """
        stems = [filename[:at] for at, sign in enumerate(filename) if sign == "-"] or [filename]
        self.prefetch(*stems)
        for name in stems:
            project = await self.project(name)
            if project is not None and filename in project.files:
                return project, project.files[filename]
        every = await self.project_names()
        for start in range(0, len(every), _EXPECTED_AT_ONCE):
            some = every[start : start + _EXPECTED_AT_ONCE]
            self.prefetch(*some)
            for name in some:
                project = await self.project(name)
                if project is not None and filename in project.files:
                    return project, project.files[filename]
        raise NotFoundError(f"There is no file {filename} in the repository {self.name}.")

    def content(self, file: File) -> StoredFile:
        """A file's bytes."""
        return StoredFile(file.size, file.sha256, self._storage, file.blob)

    async def metadata(self, file: File) -> StoredFile:
        """The bytes of a file's core metadata (PEP 658).

        Raises:
            FileNotFoundError: it has none.
        """
        if file.metadata_blob is None or file.metadata_sha256 is None:
            raise FileNotFoundError(file.filename)
        size = len(await self._storage.get(file.metadata_blob))
        return StoredFile(size, file.metadata_sha256, self._storage, file.metadata_blob)

    def receive(self, filename: str, *, digests: Mapping[str, str]) -> StagedFile:
        """Where the bytes of a file go as they arrive; `digests` are the form's claims so far.

        Raises:
            InvalidError: no file has such a name.
        """
        check_filename(filename)
        largest = self.document.max_file_size, self._limits.file_bytes
        limits = [each for each in largest if each is not None]
        wanted = {DIGEST_FIELDS[name] for name in digests}
        if "{blake2_256}" in self.dialect.exists_text:
            wanted.add("blake2_256")
        return StagedFile(
            self._storage,
            blobs_of(self.document.id),
            filename,
            limit=min(limits) if limits else None,
            digests=wanted,
        )

    async def publish(
        self,
        incoming: StagedFile,
        claims: DeclaredMetadata,
        *,
        by: str,
        upload_time: str | None = None,
    ) -> File:
        """Make a file visible, wholly or not at all; the answer is the file as it then is.

        Raises:
            InvalidError: the file is not what its name or the claims say.
            FileExistsInRepositoryError: its name is taken and stays so.
            ForbiddenError: the project takes no files.
            StorageError: the store did not take it.
        """
        metadata: StagedFile | None = None
        seen = False
        try:
            name = claims.distribution_name(incoming.filename, self.dialect)
            await incoming.check_digests(claims.digests)
            sha256 = await incoming.digest("sha256")
            await self._refresh(name)
            project = await self._storage.read(self._project_key(name.project), ProjectDocument)
            wanted = UploadTarget(name.filename, sha256, by)
            taken = decide(self.document, project, wanted)
            if taken is not None:
                return taken
            contents = await self._contents(name, incoming)
            metadata = await self._store(incoming, contents.metadata)
            wants_blake2 = "{blake2_256}" in self.dialect.exists_text
            file = File(
                filename=name.filename,
                version=name.version or None,
                size=incoming.size,
                sha256=sha256,
                blake2_256=await incoming.digest("blake2_256") if wants_blake2 else None,
                blob=incoming.key,
                upload_time=upload_time or now(),
                uploader=by,
                requires_python=contents.requires_python,
                metadata_sha256=None if metadata is None else await metadata.digest("sha256"),
                metadata_blob=None if metadata is None else metadata.key,
                attestations=claims.attestations,
            )
            parts = [incoming] if metadata is None else [incoming, metadata]
            await self._refresh(name)
            for part in parts:
                await part.require_present()
            # From here on others may see it, unless it is said that it was refused.
            seen = True
            try:
                taken, replaced = await self._add(name.project, file)
            except UncertainError:
                raise
            except CloudRepoServerError:
                seen = False
                raise
            seen = taken is None
            if seen:
                await self._make_sure(name.project, file, replaced, parts)
            for old in replaced:
                self._retire(old)
            return taken or file
        finally:
            if not seen:
                incoming.discard()
                if metadata is not None:
                    metadata.discard()

    async def yank(self, filename: str, reason: str | None) -> File:
        """Yank a file with a reason, which may be empty, or take the yank back with None (PEP 592).

        Raises:
            NotFoundError: there is no such file.
        """
        return await self._replace(filename, yanked=reason)

    async def set_upload_time(self, filename: str, upload_time: str) -> File:
        """Say that a file was uploaded at another time.

        Raises:
            NotFoundError: there is no such file.
        """
        return await self._replace(filename, upload_time=upload_time)

    async def delete(self, filename: str) -> None:
        """Delete a file at once.

        Raises:
            NotFoundError: there is no such file.
        """
        project, _ = await self.find(filename)
        removed: list[File] = []

        def remove(existing: ProjectDocument | None) -> ProjectDocument | None:
            removed[:] = [self._file(existing, filename)]
            assert existing is not None  # noqa: S101 (_file refuses None)
            files = {name: file for name, file in existing.files.items() if name != filename}
            deleted = existing.deleted
            if self.dialect.deleted_text is not None:
                deleted = (*deleted, filename)
            return _with_files(msgspec.structs.replace(existing, deleted=deleted), files)

        await self._storage.change(self._project_key(project.name), ProjectDocument, remove)
        self._retire(removed[0])

    async def set_status(self, name: str, status: str, reason: str | None) -> ProjectDocument:
        """Set a project's status marker and its reason (PEP 792).

        Raises:
            InvalidError: there is no such status.
            NotFoundError: there is no such project.
        """
        if status not in STATUSES:
            raise InvalidError(f"There is no status {status!r}; there are: {', '.join(STATUSES)}.")
        project = await self.project(name)
        if project is None:
            raise NotFoundError(f"There is no project {name} in the repository {self.name}.")
        key = self._project_key(project.name)

        def change(existing: ProjectDocument | None) -> ProjectDocument:
            if existing is None:
                raise NotFoundError(f"There is no project {name} in the repository {self.name}.")
            return msgspec.structs.replace(existing, status=status, status_reason=reason)

        await self._storage.change(key, ProjectDocument, change)
        changed = await self._storage.read(key, ProjectDocument)
        return changed or project

    async def _contents(self, name: DistributionName, incoming: StagedFile) -> ArchiveMetadata:
        if self.dialect.accepts_any_file:
            return ArchiveMetadata(None, None)
        if incoming.inline:
            return _read_opened(name, incoming, self._limits)
        await incoming.finish()
        return await asyncio.to_thread(_read_opened, name, incoming, self._limits)

    async def _store(self, incoming: StagedFile, metadata: bytes | None) -> StagedFile | None:
        if metadata is None:
            await incoming.finish()
            return None
        beside = StagedFile(
            self._storage, blobs_of(self.document.id), incoming.filename, limit=None
        )
        await beside.write(metadata)
        if self._storage.shared:
            await asyncio.gather(incoming.finish(), beside.finish())
        else:
            await incoming.finish()
            await beside.finish()
        return beside

    async def _refresh(self, name: DistributionName) -> None:
        # An upload may take long; what counts is the settings at the moment it becomes visible.
        self._storage.require_fresh()
        self._storage.prefetch((self._project_key(name.project), ProjectDocument))
        await self._read_settings()

    async def _read_settings(self) -> None:
        current = await self._storage.read(repository_key(self.name), RepositoryDocument)
        if current is None or current.id != self.document.id:
            raise repository_not_found(self.name)
        self.document = current
        self.dialect = get_dialect(current.dialect)

    async def _add(self, project_name: str, file: File) -> tuple[File | None, list[File]]:
        """The file that is there already, if that does; and those that this one replaced."""
        wanted = UploadTarget(file.filename, file.sha256, file.uploader)
        replaced: list[File] = []
        taken: list[File] = []

        async def prepare(existing: ProjectDocument | None) -> None:
            # It may have come under a protection that was not there a moment ago.
            if existing is not None and file.filename in existing.files:
                self._storage.require_fresh()
                await self._read_settings()

        def add(existing: ProjectDocument | None) -> ProjectDocument | None:
            replaced.clear()
            taken.clear()
            identical = decide(self.document, existing, wanted)
            if identical is not None:
                taken.append(identical)
                return existing
            if existing is None:
                return ProjectDocument(name=project_name, files={file.filename: file})
            if file.filename in existing.files:
                replaced.append(existing.files[file.filename])
            return msgspec.structs.replace(existing, files={**existing.files, file.filename: file})

        key = self._project_key(project_name)
        await self._storage.change(key, ProjectDocument, add, prepare=prepare)
        return (taken[0] if taken else None), replaced

    async def _make_sure(
        self, project_name: str, file: File, replaced: list[File], parts: list[StagedFile]
    ) -> None:
        """See that a file that was made visible is not one whose bytes were swept meanwhile.

        Raises:
            StorageError: it was, and what was there before is there again.
            UncertainError: the store did not answer.
        """

        def take_back(existing: ProjectDocument | None) -> ProjectDocument | None:
            files = {} if existing is None else dict(existing.files)
            there = files.pop(file.filename, None)
            if existing is None or there is None or there.blob != file.blob:
                return existing
            return _with_files(existing, files | {each.filename: each for each in replaced})

        try:
            for part in parts:
                await part.require_present()
        except StagedFileLostError:
            await self._storage.change(self._project_key(project_name), ProjectDocument, take_back)
            raise
        except StorageError as error:
            raise UncertainError(
                "the storage did not answer; the file may be stored, or not"
            ) from error

    async def _replace(self, filename: str, **changes: str | None) -> File:
        project, _ = await self.find(filename)
        changed: list[File] = []

        def change(existing: ProjectDocument | None) -> ProjectDocument:
            file = msgspec.structs.replace(self._file(existing, filename), **changes)
            changed[:] = [file]
            files = cast("ProjectDocument", existing).files
            return msgspec.structs.replace(
                cast("ProjectDocument", existing), files={**files, filename: file}
            )

        await self._storage.change(self._project_key(project.name), ProjectDocument, change)
        return changed[0]

    def _file(self, project: ProjectDocument | None, filename: str) -> File:
        if project is None or filename not in project.files:
            raise NotFoundError(f"There is no file {filename} in the repository {self.name}.")
        return project.files[filename]

    def _retire(self, file: File) -> None:
        for key in file.blobs:
            self._storage.delete_later(key)

    def _project_key(self, normalized: str) -> str:
        return project_key(self.document.id, normalized)


def _with_files(project: ProjectDocument, files: dict[str, File]) -> ProjectDocument | None:
    """A project with these files, or None where nothing is to be said of it any more."""
    if not files and not project.deleted and project.status == "active":
        return None
    return msgspec.structs.replace(project, files=files)


def _read_opened(name: DistributionName, incoming: StagedFile, limits: Limits) -> ArchiveMetadata:
    # Imported for the first upload, since it takes a while.
    from cloudrepo_server.specs.archives import read_archive

    with incoming.open() as opened:
        return read_archive(name, opened, limits)
