"""One repository: finds, publishes, yanks and deletes its files."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.activity import Activity
from cloudrepo_server.domain.core_metadata_cache import CoreMetadataCache
from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.project_status import check_reason, check_status_marker
from cloudrepo_server.domain.publishing import Publishing
from cloudrepo_server.domain.readme_process import ReadmeProcess
from cloudrepo_server.domain.serials import Serials
from cloudrepo_server.domain.staged_file import StagedFile
from cloudrepo_server.domain.stored_file import StoredFile
from cloudrepo_server.domain.withdrawal import (
    Selection,
    all_files,
    delete_files,
    files_of_version,
    yank_files,
)
from cloudrepo_server.errors import InvalidError, NotFoundError
from cloudrepo_server.keys import project_key, project_name, projects_of
from cloudrepo_server.limits import Limits
from cloudrepo_server.models import File, ProjectDocument, RepositoryDocument, SerialsDocument
from cloudrepo_server.specs.dialects import applies_pypi_rules, get_dialect, upload_dialect
from cloudrepo_server.specs.filenames import check_project_name
from cloudrepo_server.specs.provenance import Publisher
from cloudrepo_server.specs.pypi_rules.form import UploadForm
from cloudrepo_server.storage import Storage

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata


_PREFETCHED_PROJECTS = 50


class Repository:
    """A repository, with its settings at the moment at which it was read."""

    def __init__(
        self,
        storage: Storage,
        document: RepositoryDocument,
        limits: Limits,
        readmes: ReadmeProcess,
        core_metadata: CoreMetadataCache,
        activity: Activity,
    ) -> None:
        self.document = document
        self.dialect = get_dialect(document.dialect)
        self.place_of_files = self.dialect.files if document.files is None else document.files
        self.serials = Serials(storage, document)
        self.upload_dialect = upload_dialect(document.dialect, document.rules)
        self.applies_rules = applies_pypi_rules(document.dialect, document.rules)
        self._storage = storage
        self._limits = limits
        self._readmes = readmes
        self._core_metadata = core_metadata
        self._activity = activity

    @property
    def name(self) -> str:
        """The name in the repository's URL."""
        return self.document.name

    @property
    def no_login_status(self) -> int:
        """The status of the response to a request without the login that it needs."""
        return self.document.no_login_status or self.upload_dialect.no_login_status

    @property
    def no_access_status(self) -> int:
        """The status of the response to a login that may not see the repository."""
        return self.document.no_access_status or self.upload_dialect.no_access_status

    async def project_names(self) -> list[str]:
        """Return the normalized names of all projects, sorted."""
        listing = await self._storage.listing(projects_of(self.document.id))
        return [project_name(name) for name in listing.names]

    async def listing_revision(self) -> str:
        """Return a text that changes when the list of projects changes."""
        return (await self._storage.listing(projects_of(self.document.id))).revision

    async def all_serials(self, names: Sequence[str]) -> SerialsDocument:
        """Return the serials of all projects, given their names; no serials in other dialects."""
        if not self.dialect.has_serials:
            return SerialsDocument()
        return await self.serials.of_all(names, await self.serials.read())

    def require_fresh(self) -> None:
        """Require that the current task reads nothing older than this moment."""
        self._storage.require_fresh()

    def prefetch(self, *names: str, serials: bool = False) -> None:
        """Start reading documents in the background, if the store is shared.

        Args:
            names: the names of the projects to read, normalized or not.
            serials: whether to read the serials too, if the dialect has them.
        """
        for name in names:
            with contextlib.suppress(InvalidError):
                self._storage.prefetch(
                    (self._project_key(check_project_name(name)), ProjectDocument)
                )
        if serials and self.dialect.has_serials:
            self.serials.prefetch()

    async def project(self, name: str) -> ProjectDocument | None:
        """Return the project with this name, normalized or not, or None."""
        try:
            normalized = check_project_name(name)
        except InvalidError:
            return None
        return await self._storage.read(self._project_key(normalized), ProjectDocument)

    async def find(self, filename: str) -> tuple[ProjectDocument, File]:
        """Return the file with this name, and its project.

        Raises:
            NotFoundError: there is no such file.
        """
        # Usually the project's name is the part of the file's name before one of its hyphens.
        stems = [filename[:at] for at, sign in enumerate(filename) if sign == "-"] or [filename]
        project = await self._find_in(stems, filename)
        if project is None:
            project = await self._find_in(await self.project_names(), filename)
        if project is None:
            raise self._file_not_found(filename)
        return project, project.files[filename]

    def content(self, file: File) -> StoredFile:
        """Return the content of a file."""
        return StoredFile(file.size, file.sha256, self._storage, file.blob)

    async def metadata(self, file: File) -> StoredFile:
        """Return the core metadata of a file (PEP 658).

        Raises:
            FileNotFoundError: the file has none.
        """
        if file.metadata_blob is None or file.metadata_sha256 is None:
            raise FileNotFoundError(file.filename)
        size = len(await self._storage.get(file.metadata_blob))
        return StoredFile(size, file.metadata_sha256, self._storage, file.metadata_blob)

    async def core_metadata(self, file: File) -> "RawMetadata":
        """Return the fields of the core metadata of a file.

        Raises:
            FileNotFoundError: the file has none.
        """
        if file.metadata_blob is None:
            raise FileNotFoundError(file.filename)
        return await self._core_metadata.read(file.metadata_blob)

    async def check_form(self, form: UploadForm) -> None:
        """Check a form, if PyPI's rules apply; see `Publishing.check_form`."""
        await self._publishing().check_form(form)

    def stage(
        self,
        filename: str,
        *,
        digests: Mapping[str, str],
        project: str = "",
        follows_rules: bool = True,
    ) -> StagedFile:
        """Return a staged file, which accepts content as it arrives; see `Publishing.stage`."""
        publishing = self._publishing(follows_rules=follows_rules)
        return publishing.stage(filename, digests=digests, project=project)

    async def publish(
        self,
        staged: StagedFile,
        declared: DeclaredMetadata,
        *,
        uploader: str,
        publisher: Publisher | None = None,
        upload_time: str | None = None,
        follows_rules: bool = True,
    ) -> File:
        """Publish a staged file. If that fails, discard it. See `Publishing.publish`.

        With `follows_rules=False`, PyPI's rules do not apply, whatever the settings.
        """
        return await self._publishing(follows_rules=follows_rules).publish(
            staged, declared, uploader=uploader, publisher=publisher, upload_time=upload_time
        )

    async def yank(self, filename: str, reason: str | None) -> File:
        """Yank a file (PEP 592), or undo its yank if `reason` is None. Return the changed file.

        The reason may be empty.

        Raises:
            InvalidError: the reason is too long.
            NotFoundError: there is no such file.
        """
        check_reason(reason)
        file = await self._update(filename, yanked=reason)
        self._note_yank(filename, reason)
        return file

    async def yank_release(self, project: str, version: str, reason: str | None) -> None:
        """Yank all files of a release, or undo their yanks; see `yank`.

        Raises:
            InvalidError: the reason is too long.
            NotFoundError: there is no such release.
        """
        missing = self.release_not_found(project, version)
        await self._yank(project, files_of_version(version), reason, missing)
        self._note_yank(f"{project} {version}", reason)

    async def yank_project(self, name: str, reason: str | None) -> None:
        """Yank all files of a project, or undo their yanks; see `yank`.

        Raises:
            InvalidError: the reason is too long.
            NotFoundError: there is no such project, or it has no files.
        """
        await self._yank(name, all_files, reason, self.project_not_found(name))
        self._note_yank(name, reason)

    async def set_upload_time(self, filename: str, upload_time: str) -> File:
        """Change the upload time of a file, and return the changed file.

        Raises:
            NotFoundError: there is no such file.
        """
        file = await self._update(filename, upload_time=upload_time)
        note_change(
            "change-file",
            repository=self.name,
            subject=filename,
            detail=f"uploaded at {upload_time}",
        )
        return file

    async def delete(self, filename: str) -> None:
        """Delete a file.

        Raises:
            NotFoundError: there is no such file.
        """
        project, _ = await self.find(filename)
        missing = self._file_not_found(filename)
        await self._delete(project.name, lambda file: file.filename == filename, missing)
        note_change("delete-file", repository=self.name, subject=filename)

    async def delete_release(self, project: str, version: str) -> None:
        """Delete all files of a release.

        Raises:
            NotFoundError: there is no such release.
        """
        missing = self.release_not_found(project, version)
        await self._delete(project, files_of_version(version), missing)
        note_change("delete-release", repository=self.name, subject=f"{project} {version}")

    async def delete_project(self, name: str) -> None:
        """Delete all files of a project, and forget its status.

        Raises:
            NotFoundError: there is no such project.
        """
        await self._delete(name, all_files, self.project_not_found(name))
        note_change("delete-project", repository=self.name, subject=name)

    async def set_status(self, name: str, status: str, reason: str | None) -> ProjectDocument:
        """Set the status marker of a project, and its reason (PEP 792). Return the changed project.

        Raises:
            InvalidError: the status is unknown, or the reason is too long.
            NotFoundError: there is no such project.
        """
        check_status_marker(status)
        check_reason(reason)
        project = await self.project(name)
        if project is None:
            raise self.project_not_found(name)

        def update(existing: ProjectDocument | None) -> ProjectDocument:
            if existing is None:
                raise self.project_not_found(name)
            return msgspec.structs.replace(existing, status=status, status_reason=reason)

        await self._change(project.name, update)
        detail = f"{status}: {reason}" if reason else status
        note_change("change-project", repository=self.name, subject=project.name, detail=detail)
        return await self.project(project.name) or project

    def project_not_found(self, name: str) -> NotFoundError:
        """Return the error for a missing project."""
        return NotFoundError(f"The project {name} was not found in the repository {self.name}.")

    def release_not_found(self, project: str, version: str) -> NotFoundError:
        """Return the error for a missing release."""
        return NotFoundError(
            f"The release {version} of the project {project} was not found in the repository "
            f"{self.name}."
        )

    async def _find_in(self, names: Sequence[str], filename: str) -> ProjectDocument | None:
        """Return the first of these projects that has the file."""
        for start in range(0, len(names), _PREFETCHED_PROJECTS):
            batch = names[start : start + _PREFETCHED_PROJECTS]
            self.prefetch(*batch)
            for name in batch:
                project = await self.project(name)
                if project is not None and filename in project.files:
                    return project
        return None

    async def _update(self, filename: str, **changes: str | None) -> File:
        project, changed = await self.find(filename)

        def update(existing: ProjectDocument | None) -> ProjectDocument:
            nonlocal changed
            if existing is None or filename not in existing.files:
                raise self._file_not_found(filename)
            changed = msgspec.structs.replace(existing.files[filename], **changes)
            return msgspec.structs.replace(existing, files={**existing.files, filename: changed})

        await self._change(project.name, update)
        return changed

    async def _yank(
        self, name: str, selection: Selection, reason: str | None, missing: NotFoundError
    ) -> None:
        check_reason(reason)

        def update(existing: ProjectDocument | None) -> ProjectDocument:
            changed = None if existing is None else yank_files(existing, selection, reason)
            if changed is None:
                raise missing
            return changed

        await self._change(name, update)

    def _note_yank(self, subject: str, reason: str | None) -> None:
        if reason is None:
            note_change("unyank", repository=self.name, subject=subject)
        else:
            note_change("yank", repository=self.name, subject=subject, detail=reason)

    async def _delete(self, name: str, selection: Selection, missing: NotFoundError) -> None:
        deleted: Mapping[str, File] = {}

        def delete(existing: ProjectDocument | None) -> ProjectDocument | None:
            nonlocal deleted
            if existing is None:
                raise missing
            if selection is all_files:
                existing = msgspec.structs.replace(existing, status="active", status_reason=None)
            keeps_names = self.upload_dialect.deleted_text is not None
            left, deleted = delete_files(existing, selection, keeps_names=keeps_names)
            if not deleted and selection is not all_files:
                raise missing
            return left

        await self._change(name, delete)
        self._storage.delete_later(*(key for file in deleted.values() for key in file.blobs))

    async def _change(
        self, name: str, change: Callable[[ProjectDocument | None], ProjectDocument | None]
    ) -> None:
        await self._storage.change(self._project_key(name), ProjectDocument, change)
        if self.dialect.has_serials:
            await self.serials.record(name)

    def _file_not_found(self, filename: str) -> NotFoundError:
        return NotFoundError(f"The file {filename} was not found in the repository {self.name}.")

    def _publishing(self, *, follows_rules: bool = True) -> Publishing:
        return Publishing(
            self._storage,
            self._limits,
            self.document,
            self._readmes,
            self._activity,
            follows_rules=follows_rules,
        )

    def _project_key(self, normalized: str) -> str:
        return project_key(self.document.id, normalized)
