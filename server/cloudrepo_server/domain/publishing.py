"""Publishing a file: stage, validate, commit.

Stage: the content goes to a blob while it arrives; no document refers to the blob yet.
Validate: the name, digests, declared metadata and archive are checked, and the core metadata are
extracted to a second blob.
Commit: one conditional change of the project's document makes the file visible: see `commit.py`.

A failed upload discards its blobs.

If PyPI's rules apply, `upload_rules.py` has the checks of the second step.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from cloudrepo_server.domain.activity import Activity
from cloudrepo_server.domain.claims import (
    check_claim,
)
from cloudrepo_server.domain.commit import Commit, repository_content_claim
from cloudrepo_server.domain.current_repository import CurrentRepository
from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.overwrite import (
    Candidate,
    check_status,
)
from cloudrepo_server.domain.readme_process import ReadmeProcess
from cloudrepo_server.domain.release_rules import (
    check_project_size,
    max_file_size,
)
from cloudrepo_server.domain.serials import Serials
from cloudrepo_server.domain.staged_file import DIGEST_FIELDS, StagedFile
from cloudrepo_server.errors import (
    InvalidError,
    TooLargeError,
)
from cloudrepo_server.keys import project_name, projects_of
from cloudrepo_server.limits import MAX_ATTESTATIONS, MAX_REQUIRES_PYTHON, Limits
from cloudrepo_server.models import File, RepositoryDocument
from cloudrepo_server.pools import ARCHIVES
from cloudrepo_server.specs.dialects import get_dialect
from cloudrepo_server.specs.filenames import ArchiveMetadata, DistributionName, check_filename
from cloudrepo_server.specs.provenance import Publisher
from cloudrepo_server.specs.pypi_rules.form import UploadForm
from cloudrepo_server.specs.pypi_rules.releases import FILE_SIZE
from cloudrepo_server.specs.pypi_rules.rule import size
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Storage

if TYPE_CHECKING:
    from cloudrepo_server.domain.upload_rules import UploadRules


class Publishing:
    """The publication of one file in a repository.

    `repository` has the settings of the moment at which the upload began. An upload can take long,
    so the settings are read again before each decision.
    """

    def __init__(
        self,
        storage: Storage,
        limits: Limits,
        repository: RepositoryDocument,
        readmes: ReadmeProcess,
        activity: Activity,
        *,
        follows_rules: bool = True,
    ) -> None:
        self._storage = storage
        self._limits = limits
        self._activity = activity
        self._repository = CurrentRepository(storage, repository)
        self._rules: UploadRules | None = None
        if follows_rules and self._repository.applies_rules:
            # Imported when it is needed, because it imports the email package.
            from cloudrepo_server.domain.upload_rules import UploadRules

            self._rules = UploadRules(repository, readmes, limits)

    async def check_form(self, form: UploadForm) -> None:
        """Check a form, if PyPI's rules apply.

        Raises:
            BrokenRuleError: the form breaks a rule.
        """
        if self._rules is not None:
            await self._rules.check_form(form)

    def stage(self, filename: str, *, digests: Mapping[str, str], project: str = "") -> StagedFile:
        """Return a staged file, which accepts the content as it arrives.

        Args:
            filename: the name of the file.
            digests: the digests that the form has declared so far, by the names of its fields.
            project: the name of the project, if the form has declared it so far.

        Raises:
            InvalidError: the file name is not valid.
        """
        limit = self._repository.document.max_file_size
        too_large = None
        if self._rules is None:
            check_filename(filename)
        else:
            limit = max_file_size(self._repository.document)
            shown = size(limit)
            broken = FILE_SIZE.broken(project=project, limit=shown, size=f"more than {shown}")
            too_large = TooLargeError(broken.message)
            too_large.rule, too_large.advice = broken.rule, broken.advice
        limits = [each for each in (limit, self._limits.file_bytes) if each is not None]
        stored = self._repository.dialect.stored_digests
        names = {DIGEST_FIELDS[field] for field in digests} | stored | self._listed_digests
        return StagedFile(
            self._storage,
            self._repository.id,
            filename,
            limit=min(limits, default=None),
            digests=names,
            too_large=too_large,
        )

    async def publish(
        self,
        staged: StagedFile,
        declared: DeclaredMetadata,
        *,
        uploader: str,
        publisher: Publisher | None = None,
        upload_time: str | None = None,
    ) -> File:
        """Publish a staged file; return the file that is visible afterwards.

        Args:
            staged: the file.
            declared: the metadata in the form.
            uploader: the user or token that uploads the file.
            publisher: the trusted publisher that uploads it, or None.
            upload_time: the time to store; by default the current time.

        Raises:
            BrokenRuleError: the file breaks one of PyPI's rules.
            InvalidError: the file does not match its name or the declared metadata.
            FileExistsInRepositoryError: the file exists and may not be replaced.
            ForbiddenError: the project does not accept uploads.
            NotFoundError: the repository was deleted.
            StorageError: the store did not accept the file.
        """
        with contextlib.ExitStack() as undo:
            undo.callback(staged.discard)
            form: UploadForm | None = None
            if self._rules is None:
                name = declared.resolve_name(staged.filename, self._repository.dialect)
            else:
                form = await self._read_form(self._rules, declared, staged)
                name = self._rules.declared_name(form)
            _check_attestations(declared.attestations)
            candidate = await self._candidate(
                name, staged, uploader=uploader, upload_time=upload_time or now()
            )
            if self._rules is None or form is None:
                await staged.check_digests(declared.digests)
            else:
                await self._check_before_archive(self._rules, form, staged, candidate)
            identical = await self._find_identical(candidate)
            if identical is not None:
                return identical
            if self._rules is not None and form is not None:
                await self._rules.check_archive(form, staged)
                await self._rules.check_attestations(form, candidate.sha256, publisher)
                # The file name must be valid here too, and may be ambiguous.
                name = declared.resolve_name(staged.filename, self._repository.dialect)
                candidate = msgspec.structs.replace(candidate, name=name)
            archive = await self._read_archive(name, staged)
            _check_requires_python(name, archive.requires_python)
            metadata = await self._store(staged, archive.metadata, undo)
            stored_digests = self._repository.dialect.stored_digests
            digests = {name: await staged.digest(name) for name in stored_digests}
            file = File(
                filename=name.filename,
                version=name.version or None,
                size=staged.size,
                sha256=candidate.sha256,
                blake2_256=digests.get("blake2_256"),
                md5=digests.get("md5"),
                other_digests={
                    name: await staged.digest(name) for name in sorted(self._listed_digests)
                },
                blob=staged.key,
                upload_time=candidate.upload_time,
                uploader=uploader,
                requires_python=archive.requires_python,
                metadata_sha256=None if metadata is None else await metadata.digest("sha256"),
                metadata_blob=None if metadata is None else metadata.key,
                attestations=declared.attestations,
                attestation_publisher=_attestation_publisher(self._rules, declared, publisher),
            )
            blobs = [staged] if metadata is None else [staged, metadata]
            commit = Commit(self._storage, self._repository, self._activity)
            published = await commit.commit(candidate, file, blobs, undo)
            document = self._repository.document
            if get_dialect(document.dialect).has_serials:
                await Serials(self._storage, document).record(name.project)
            return published

    @property
    def _listed_digests(self) -> set[str]:
        """The digests that pages list, without SHA-256, which every file has."""
        return set(self._repository.document.digests or ()) - {"sha256"}

    async def _read_form(
        self, rules: UploadRules, declared: DeclaredMetadata, staged: StagedFile
    ) -> UploadForm:
        """Return a form with valid metadata, which is made from the file if there is no form."""
        if declared.form is not None:
            return declared.form
        form = await rules.read_form(staged)
        await rules.check_form(form)
        return form

    async def _candidate(
        self, name: DistributionName, staged: StagedFile, *, uploader: str, upload_time: str
    ) -> Candidate:
        needs_blake2_256 = "blake2_256" in self._repository.dialect.stored_digests
        return Candidate(
            name=name,
            size=staged.size,
            sha256=await staged.digest("sha256"),
            blake2_256=await staged.digest("blake2_256") if needs_blake2_256 else None,
            uploader=uploader,
            upload_time=upload_time,
            follows_rules=self._rules is not None,
        )

    async def _check_before_archive(
        self, rules: UploadRules, form: UploadForm, staged: StagedFile, candidate: Candidate
    ) -> None:
        self._storage.require_fresh()
        project = await self._repository.project(candidate.name)
        check_status(project)
        if project is None:
            listing = await self._storage.listing(projects_of(self._repository.id))
            rules.check_new_project(form, [project_name(name) for name in listing.names])
        await rules.check_description(form)
        rules.check_filename(form)
        check_project_size(self._repository.document, project, candidate)
        await rules.check_digests(form, staged)

    async def _find_identical(self, candidate: Candidate) -> File | None:
        # Check early, to avoid reading the archive of an upload that is rejected or identical.
        # `Commit.commit` checks again.
        await self._repository.refresh_all(candidate.name)
        project = await self._repository.project(candidate.name)
        identical = self._repository.check_existing(project, candidate)
        if identical is None and candidate.follows_rules:
            claim = repository_content_claim(self._repository, candidate)
            await check_claim(self._storage, self._repository.id, claim)
        return identical

    async def _read_archive(self, name: DistributionName, staged: StagedFile) -> ArchiveMetadata:
        if self._repository.dialect.accepts_any_file:
            return ArchiveMetadata(None, None)
        # Imported at the first upload, because the import is slow.
        from cloudrepo_server.specs.archives import read_tiny_archive

        content = staged.small
        # The reader compares the metadata in the file with its name, which PyPI's rules do not do.
        if content is not None and self._rules is None:
            tiny = read_tiny_archive(name, content, self._limits)
            if tiny is not None:
                return tiny
        await staged.finish()
        return await ARCHIVES.run(self._read_archive_now, name, staged)

    def _read_archive_now(self, name: DistributionName, staged: StagedFile) -> ArchiveMetadata:
        # Imported at the first upload, because the import is slow.
        from cloudrepo_server.specs.archives import read_archive

        with staged.open() as content:
            # PyPI compares the file's name with the form, and not with the metadata in the file.
            return read_archive(
                name, content, limits=self._limits, checks_identity=self._rules is None
            )

    async def _store(
        self, staged: StagedFile, metadata: bytes | None, undo: contextlib.ExitStack
    ) -> StagedFile | None:
        """Make both blobs readable, and return the one with the core metadata."""
        if metadata is None:
            await staged.finish()
            return None
        staged_metadata = StagedFile(
            self._storage, self._repository.id, staged.filename, limit=None
        )
        undo.callback(staged_metadata.discard)
        await staged_metadata.write(metadata)
        if self._storage.shared:
            await asyncio.gather(staged.finish(), staged_metadata.finish())
        else:
            await staged.finish()
            await staged_metadata.finish()
        return staged_metadata


def _check_attestations(attestations: str | None) -> None:
    if attestations is not None and len(attestations.encode()) > MAX_ATTESTATIONS:
        raise TooLargeError(
            f"The attestations are too large: the limit is {MAX_ATTESTATIONS} bytes."
        )


def _attestation_publisher(
    rules: UploadRules | None, declared: DeclaredMetadata, publisher: Publisher | None
) -> dict[str, str | None] | None:
    # Only PyPI's rules compare the attestations with the publisher.
    if rules is None or publisher is None or declared.attestations is None:
        return None
    return dict(publisher)


def _check_requires_python(name: DistributionName, requires_python: str | None) -> None:
    if requires_python is not None and len(requires_python) > MAX_REQUIRES_PYTHON:
        raise InvalidError(
            f"The Requires-Python of {name.filename} is longer than {MAX_REQUIRES_PYTHON} "
            "characters."
        )
