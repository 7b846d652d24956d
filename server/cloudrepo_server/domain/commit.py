"""The last step of publishing: makes a file visible, or rolls back.

One conditional change of the project's document makes the file visible. Before and
after that change, the upload writes claims: see `claims.py`.
"""

import contextlib

import msgspec

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.activity import Activity
from cloudrepo_server.domain.claims import (
    Claim,
    content_claim,
    filename_claim,
    name_claim,
    write_claim,
)
from cloudrepo_server.domain.current_repository import CurrentRepository
from cloudrepo_server.domain.overwrite import Candidate, file_exists
from cloudrepo_server.domain.staged_file import StagedFile
from cloudrepo_server.errors import (
    BrokenRuleError,
    CloudRepoServerError,
    FileExistsInRepositoryError,
    StagedFileLostError,
    StorageError,
    UncertainError,
)
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.specs.filenames import DistributionName
from cloudrepo_server.storage import Storage


class Commit:
    """The commit of one upload."""

    def __init__(self, storage: Storage, repository: CurrentRepository, activity: Activity) -> None:
        self._storage = storage
        self._activity = activity
        self._repository = repository

    async def commit(
        self,
        candidate: Candidate,
        file: File,
        blobs: list[StagedFile],
        undo: contextlib.ExitStack,
    ) -> File:
        """Make a file visible, and return the file that is visible afterwards.

        Args:
            candidate: the file that was checked.
            file: the file as it is stored.
            blobs: its blobs.
            undo: discards the blobs if the file does not become visible.

        Raises:
            CloudRepoServerError: the file may not be published, or the store did not respond.
        """
        name = candidate.name
        await self._repository.refresh_all(name)
        for blob in blobs:
            await blob.require_present()
        claims = await self._claims(candidate)
        for claim in claims:
            await self._claim(claim)
        try:
            identical, replaced = await self._make_visible(candidate, file)
        except BaseException as error:
            if isinstance(error, UncertainError) or not isinstance(error, CloudRepoServerError):
                # The file may be visible, so its blobs must stay.
                undo.pop_all()
            raise
        if identical is not None:
            return identical
        undo.pop_all()
        await self._roll_back_if_lost(name, file, replaced, blobs)
        await self._roll_back_if_claimed(name, file, replaced, claims)
        for old in () if replaced is None else replaced.blobs:
            self._storage.delete_later(old)
        self._activity.count_upload(self._repository.id, name.project)
        note_change(
            "upload" if replaced is None else "overwrite",
            repository=self._repository.document.name,
            subject=file.filename,
        )
        return file

    async def _claims(self, candidate: Candidate) -> list[Claim]:
        name, repository = candidate.name, self._repository
        claims: list[Claim] = []
        if name.ambiguous:
            claims.append(filename_claim(repository.id, name, repository.dialect))
        if repository.applies_rules:
            claims.append(repository_content_claim(repository, candidate))
        if candidate.follows_rules and await repository.project(name) is None:
            claims.append(name_claim(repository.id, name.project))
        return claims

    async def _make_visible(
        self, candidate: Candidate, file: File
    ) -> tuple[File | None, File | None]:
        """Return the identical file that makes the change unnecessary, and the replaced file."""
        identical: File | None = None
        replaced: File | None = None

        async def prepare(existing: ProjectDocument | None) -> None:
            # Overwrite protection may have been switched on after the settings were last read.
            if existing is not None and file.filename in existing.files:
                self._storage.require_fresh()
                await self._repository.refresh()

        def add(existing: ProjectDocument | None) -> ProjectDocument | None:
            nonlocal identical, replaced
            identical = self._repository.check_existing(existing, candidate)
            if identical is not None:
                return existing
            if existing is None:
                replaced = None
                name = candidate.name.project
                return ProjectDocument(name=name, files={file.filename: file})
            replaced = existing.files.get(file.filename)
            return msgspec.structs.replace(existing, files={**existing.files, file.filename: file})

        key = self._repository.project_key(candidate.name)
        await self._storage.change(key, ProjectDocument, add, prepare=prepare)
        return identical, replaced

    async def _roll_back_if_lost(
        self,
        name: DistributionName,
        file: File,
        replaced: File | None,
        blobs: list[StagedFile],
    ) -> None:
        # Another server's garbage collection may delete the blobs of a slow upload, if it looked
        # for references just before the file became visible.
        try:
            for blob in blobs:
                await blob.require_present()
        except StagedFileLostError:
            await self._roll_back(name, file, replaced)
            raise
        except StorageError as error:
            raise _uncertain(file) from error

    async def _roll_back_if_claimed(
        self, name: DistributionName, file: File, replaced: File | None, claims: list[Claim]
    ) -> None:
        # Another project's upload may have taken a claim just before the file became visible.
        try:
            for claim in claims:
                await self._claim(claim)
        except (FileExistsInRepositoryError, BrokenRuleError):
            await self._roll_back(name, file, replaced)
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

        key = self._repository.project_key(name)
        try:
            await self._storage.change(key, ProjectDocument, roll_back)
        except StorageError as error:
            raise _uncertain(file) from error
        for blob in file.blobs:
            self._storage.delete_later(blob)

    async def _claim(self, claim: Claim) -> None:
        await write_claim(self._storage, self._repository.id, claim)


def repository_content_claim(repository: CurrentRepository, candidate: Candidate) -> Claim:
    """Return the claim of a file's content, which excludes other files by PyPI's rules only."""
    error = file_exists(repository.document, candidate) if candidate.follows_rules else None
    return content_claim(repository.id, candidate.name, candidate.sha256, error)


def _uncertain(file: File) -> UncertainError:
    return UncertainError(
        f"the store did not respond: {file.filename} may be stored or not, "
        "so check before you upload it again"
    )
