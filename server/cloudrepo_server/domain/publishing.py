"""Publishing a file: stage, validate, commit.

Stage: the content goes to a blob while it arrives; no document refers to the blob yet.
Validate: the name, digests, declared metadata and archive are checked, and the core metadata are
extracted to a second blob.
Commit: one conditional change of the project's document makes the file visible. If the file name
could belong to several projects, it is claimed for this one first.

A failed upload discards its blobs.
"""

import asyncio
import contextlib
from collections.abc import Mapping

import msgspec

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.filename_claims import claim_filename
from cloudrepo_server.domain.overwrite import check_overwrite_protection
from cloudrepo_server.domain.serials import Serials
from cloudrepo_server.domain.staged_file import DIGEST_FIELDS, StagedFile
from cloudrepo_server.errors import (
    CloudRepoServerError,
    FileExistsInRepositoryError,
    InvalidError,
    RepositoryNotFoundError,
    StagedFileLostError,
    StorageError,
    TooLargeError,
    UncertainError,
)
from cloudrepo_server.keys import blobs_of, project_key, repository_key
from cloudrepo_server.limits import MAX_ATTESTATIONS, MAX_REQUIRES_PYTHON, Limits
from cloudrepo_server.models import File, ProjectDocument, RepositoryDocument
from cloudrepo_server.pools import ARCHIVES
from cloudrepo_server.specs.dialect import Dialect, get_dialect
from cloudrepo_server.specs.filenames import ArchiveMetadata, DistributionName, check_filename
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Storage


class Publishing:
    """The publication of one file in a repository.

    `repository` has the settings of the moment at which the upload began. An upload can take long,
    so the settings are read again before each decision.
    """

    def __init__(self, storage: Storage, limits: Limits, repository: RepositoryDocument) -> None:
        self._storage = storage
        self._limits = limits
        self._repository = repository

    def stage(self, filename: str, *, digests: Mapping[str, str]) -> StagedFile:
        """Return a staged file, which accepts the content as it arrives.

        Args:
            filename: the name of the file.
            digests: the digests that the form has declared so far, by the names of its fields.

        Raises:
            InvalidError: the file name is not valid.
        """
        check_filename(filename)
        limits = (self._repository.max_file_size, self._limits.file_bytes)
        names = {DIGEST_FIELDS[field] for field in digests} | self._dialect.stored_digests
        return StagedFile(
            self._storage,
            blobs_of(self._repository.id),
            filename,
            limit=min((limit for limit in limits if limit is not None), default=None),
            digests=names,
        )

    async def publish(
        self,
        staged: StagedFile,
        declared: DeclaredMetadata,
        *,
        uploader: str,
        upload_time: str | None = None,
    ) -> File:
        """Publish a staged file; return the file that is visible afterwards.

        Raises:
            InvalidError: the file does not match its name or the declared metadata.
            FileExistsInRepositoryError: the file exists and may not be replaced.
            ForbiddenError: the project does not accept uploads.
            NotFoundError: the repository was deleted.
            StorageError: the store did not accept the file.
        """
        with contextlib.ExitStack() as undo:
            undo.callback(staged.discard)
            name = declared.resolve_name(staged.filename, self._dialect)
            _check_attestations(declared.attestations)
            await staged.check_digests(declared.digests)
            sha256 = await staged.digest("sha256")
            identical = await self._find_identical(name, sha256=sha256, uploader=uploader)
            if identical is not None:
                return identical
            archive = await self._read_archive(name, staged)
            _check_requires_python(name, archive.requires_python)
            metadata = await self._store(staged, archive.metadata, undo)
            digests = {name: await staged.digest(name) for name in self._dialect.stored_digests}
            file = File(
                filename=name.filename,
                version=name.version or None,
                size=staged.size,
                sha256=sha256,
                blake2_256=digests.get("blake2_256"),
                md5=digests.get("md5"),
                blob=staged.key,
                upload_time=upload_time or now(),
                uploader=uploader,
                requires_python=archive.requires_python,
                metadata_sha256=None if metadata is None else await metadata.digest("sha256"),
                metadata_blob=None if metadata is None else metadata.key,
                attestations=declared.attestations,
            )
            blobs = [staged] if metadata is None else [staged, metadata]
            published = await self._commit(name, file, blobs, undo)
            if self._dialect.has_serials:
                await Serials(self._storage, self._repository).record(name.project)
            return published

    @property
    def _dialect(self) -> Dialect:
        return get_dialect(self._repository.dialect)

    async def _find_identical(
        self, name: DistributionName, *, sha256: str, uploader: str
    ) -> File | None:
        # Check early, to avoid reading the archive of an upload that is rejected or identical.
        # `_commit` checks again.
        self._storage.require_fresh()
        self._prefetch(name)
        await self._read_settings()
        project = await self._storage.read(self._project_key(name), ProjectDocument)
        return check_overwrite_protection(
            self._repository, project, filename=name.filename, sha256=sha256, uploader=uploader
        )

    async def _read_archive(self, name: DistributionName, staged: StagedFile) -> ArchiveMetadata:
        if self._dialect.accepts_any_file:
            return ArchiveMetadata(None, None)
        if staged.is_small:
            return _read_archive(name, staged, self._limits)
        await staged.finish()
        return await ARCHIVES.run(_read_archive, name, staged, self._limits)

    async def _store(
        self, staged: StagedFile, metadata: bytes | None, undo: contextlib.ExitStack
    ) -> StagedFile | None:
        # Makes both blobs readable; returns the one with the core metadata.
        if metadata is None:
            await staged.finish()
            return None
        staged_metadata = StagedFile(
            self._storage, blobs_of(self._repository.id), staged.filename, limit=None
        )
        undo.callback(staged_metadata.discard)
        await staged_metadata.write(metadata)
        if self._storage.shared:
            await asyncio.gather(staged.finish(), staged_metadata.finish())
        else:
            await staged.finish()
            await staged_metadata.finish()
        return staged_metadata

    async def _commit(
        self,
        name: DistributionName,
        file: File,
        blobs: list[StagedFile],
        undo: contextlib.ExitStack,
    ) -> File:
        self._storage.require_fresh()
        self._prefetch(name)
        await self._read_settings()
        for blob in blobs:
            await blob.require_present()
        if name.ambiguous:
            await self._claim(name)
        try:
            identical, replaced = await self._make_visible(name, file)
        except BaseException as error:
            if isinstance(error, UncertainError) or not isinstance(error, CloudRepoServerError):
                # The file may be visible, so its blobs must stay.
                undo.pop_all()
            raise
        if identical is not None:
            return identical
        undo.pop_all()
        await self._roll_back_if_lost(name, file, replaced, blobs)
        if name.ambiguous:
            await self._roll_back_if_claimed(name, file, replaced)
        for old in () if replaced is None else replaced.blobs:
            self._storage.delete_later(old)
        return file

    async def _make_visible(
        self, name: DistributionName, file: File
    ) -> tuple[File | None, File | None]:
        # Returns the identical file that makes the change unnecessary, and the file replaced.
        identical: File | None = None
        replaced: File | None = None

        async def prepare(existing: ProjectDocument | None) -> None:
            # Overwrite protection may have been switched on after the settings were last read.
            if existing is not None and file.filename in existing.files:
                self._storage.require_fresh()
                await self._read_settings()

        def add(existing: ProjectDocument | None) -> ProjectDocument | None:
            nonlocal identical, replaced
            identical = check_overwrite_protection(
                self._repository,
                existing,
                filename=file.filename,
                sha256=file.sha256,
                uploader=file.uploader,
            )
            if identical is not None:
                return existing
            if existing is None:
                replaced = None
                return ProjectDocument(name=name.project, files={file.filename: file})
            replaced = existing.files.get(file.filename)
            return msgspec.structs.replace(existing, files={**existing.files, file.filename: file})

        await self._storage.change(self._project_key(name), ProjectDocument, add, prepare=prepare)
        return identical, replaced

    async def _roll_back_if_lost(
        self,
        name: DistributionName,
        file: File,
        replaced: File | None,
        blobs: list[StagedFile],
    ) -> None:
        # Another server's garbage collection may have deleted the blobs of a slow upload just
        # before the file became visible.
        try:
            for blob in blobs:
                await blob.require_present()
        except StagedFileLostError:
            await self._roll_back(name, file, replaced)
            raise
        except StorageError as error:
            raise _uncertain(file) from error

    async def _roll_back_if_claimed(
        self, name: DistributionName, file: File, replaced: File | None
    ) -> None:
        # Another project's upload may have taken the file name just before the file became visible.
        try:
            await self._claim(name)
        except FileExistsInRepositoryError:
            await self._roll_back(name, file, replaced)
            for blob in file.blobs:
                self._storage.delete_later(blob)
            raise
        except StorageError as error:
            raise _uncertain(file) from error

    async def _roll_back(self, name: DistributionName, file: File, replaced: File | None) -> None:
        def roll_back(existing: ProjectDocument | None) -> ProjectDocument | None:
            files = {} if existing is None else dict(existing.files)
            visible = files.pop(file.filename, None)
            if existing is None or visible is None or visible.blob != file.blob:
                return existing
            if replaced is not None:
                files[replaced.filename] = replaced
            return existing.with_files(files)

        await self._storage.change(self._project_key(name), ProjectDocument, roll_back)

    async def _claim(self, name: DistributionName) -> None:
        await claim_filename(self._storage, self._repository.id, name, self._dialect)

    def _prefetch(self, name: DistributionName) -> None:
        self._storage.prefetch((self._project_key(name), ProjectDocument))

    async def _read_settings(self) -> None:
        key = repository_key(self._repository.name)
        current = await self._storage.read(key, RepositoryDocument)
        if current is None or current.id != self._repository.id:
            raise RepositoryNotFoundError(self._repository.name)
        self._repository = current

    def _project_key(self, name: DistributionName) -> str:
        return project_key(self._repository.id, name.project)


def _uncertain(file: File) -> UncertainError:
    return UncertainError(
        f"the store did not respond: {file.filename} may be stored or not, "
        "so check before you upload it again"
    )


def _check_attestations(attestations: str | None) -> None:
    if attestations is not None and len(attestations) > MAX_ATTESTATIONS:
        raise TooLargeError(
            f"The attestations are too large: the limit is {MAX_ATTESTATIONS} characters."
        )


def _check_requires_python(name: DistributionName, requires_python: str | None) -> None:
    if requires_python is not None and len(requires_python) > MAX_REQUIRES_PYTHON:
        raise InvalidError(
            f"The Requires-Python of {name.filename} is longer than {MAX_REQUIRES_PYTHON} "
            "characters."
        )


def _read_archive(name: DistributionName, staged: StagedFile, limits: Limits) -> ArchiveMetadata:
    # Imported at the first upload, because the import is slow.
    from cloudrepo_server.specs.archives import read_archive

    with staged.open() as content:
        return read_archive(name, content, limits)
