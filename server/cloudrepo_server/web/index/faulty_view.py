"""The faults in what a request reads: stale pages, wrong digests and sizes, changed metadata."""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.upstream import Upstreams
from cloudrepo_server.models import (
    File,
    Project,
    ProjectDocument,
    RemoteFile,
    SerialsDocument,
)
from cloudrepo_server.testkit import fault_kinds as kinds
from cloudrepo_server.testkit.faults import InstalledFault
from cloudrepo_server.web.index.view import RepositoryView

_FILE_FAULTS = (
    kinds.WrongHash,
    kinds.WrongMetadataHash,
    kinds.MissingMetadata,
    kinds.WrongSize,
    kinds.OtherMetadata,
)
_WRONG_DIGEST = "0" * 64


class FaultyView(RepositoryView):
    """A view of a repository, as changed by the faults of one request."""

    __slots__ = ("_faults", "changed")

    def __init__(
        self,
        repository: Repository,
        upstreams: Upstreams,
        faults: Iterable[InstalledFault],
        via: tuple[str, ...] = (),
    ) -> None:
        super().__init__(repository, upstreams, via)
        self._faults = faults
        self.changed = False
        """Whether a fault changed something that the request has read so far."""

    async def project(self, name: str, local_project: ProjectDocument | None) -> Project | None:
        """Return a project as the faults show it."""
        project = await super().project(name, local_project)
        for fault in self._faults:
            specification = fault.specification
            if isinstance(specification, kinds.StalePage):
                stale = fault.snapshot.get(name)
                self.changed |= _shown(stale) != _shown(project)
                project = stale
            elif project is not None and isinstance(specification, _FILE_FAULTS):
                changed = _with_changed_files(project, fault)
                self.changed |= changed.files != project.files
                project = changed
        return project

    async def project_names(self) -> list[str]:
        """Return the names of the projects as the faults show them."""
        stale = self._stale_page()
        return await super().project_names() if stale is None else sorted(stale.snapshot)

    async def listing_revision(self) -> str:
        """Return the revision of the listing.

        A stale listing gets a different revision, because listings are cached by revision.
        """
        stale = self._stale_page()
        if stale is None:
            return await super().listing_revision()
        self.changed |= sorted(stale.snapshot) != await super().project_names()
        return f"stale {stale.id}"

    async def serial(self, known: SerialsDocument, project: ProjectDocument | None) -> int:
        """Return the serial of a project's last change; a stale page has an old one."""
        stale = self._stale_page()
        if stale is None or project is None:
            return await super().serial(known, project)
        serial = stale.serials.projects.get(project.name)
        number = 0 if serial is None else serial.number
        self.changed |= number != await super().serial(known, project)
        return number

    async def serials(self, known: SerialsDocument) -> SerialsDocument:
        """Return the serials of all projects; a stale root page has old serials."""
        current = await super().serials(known)
        stale = self._stale_page()
        if stale is None:
            return current
        self.changed |= stale.serials.projects != current.projects
        return stale.serials

    def _stale_page(self) -> InstalledFault | None:
        for fault in self._faults:
            if isinstance(fault.specification, kinds.StalePage):
                return fault
        return None


def _shown(project: Project | None) -> object:
    """Return what a page shows of a project."""
    return project and (project.files, project.status, project.status_reason)


def _with_changed_files(project: Project, fault: InstalledFault) -> Project:
    # Pages are cached by the project's revision, so a faulty page needs a revision of its own.
    return msgspec.structs.replace(
        project,
        files={name: _changed(file, fault) for name, file in project.files.items()},
        revision=f"{project.revision} {fault.id}",
    )


def _changed(file: File | RemoteFile, fault: InstalledFault) -> File | RemoteFile:
    specification = fault.specification
    changes: dict[str, object] = {}
    match specification:
        case kinds.WrongHash() if isinstance(file, RemoteFile):
            wrong = _wrong_digests(file.all_digests)
            changes["all_digests"] = wrong or {"sha256": _WRONG_DIGEST}
        case kinds.WrongHash() if isinstance(file, File):
            stored = {"sha256": file.sha256, "md5": file.md5, "blake2_256": file.blake2_256}
            changes |= _wrong_digests(stored)
            changes["other_digests"] = _wrong_digests(file.other_digests)
        case kinds.WrongSize():
            changes["size"] = file.size + 1
        case kinds.OtherMetadata() if file.metadata_sha256 is not None:
            changes["metadata_sha256"] = hashlib.sha256(specification.data).hexdigest()
        case kinds.WrongMetadataHash() if file.metadata_sha256 is not None:
            changes["metadata_sha256"] = _WRONG_DIGEST
        case kinds.MissingMetadata() if isinstance(file, RemoteFile):
            changes["metadata_url"] = None
        case kinds.MissingMetadata():
            changes["metadata_blob"] = None
    return msgspec.structs.replace(file, **changes)


def _wrong_digests(digests: Mapping[str, str | None]) -> dict[str, str]:
    return {name: "0" * len(digest) for name, digest in digests.items() if digest is not None}
