"""A model of an organization: every rule, written a second time for comparison."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.archives import Archive


@dataclass(frozen=True)
class Rules:
    """The rules that depend on the dialect, for the three dialects that differ most."""

    file_exists: int = 409
    too_large: int = 413
    always_protected: bool = False
    identical_accepted: bool = False
    remembers_deleted: bool = False
    reads_archives: bool = True
    full_pages: bool = True
    """Whether pages contain digests, yanks and statuses, and are available as JSON."""
    empty_page: int = 404
    unknown_uploader: int = 401
    limits_release_age: bool = False


RULES = {
    "modern": Rules(),
    "cloudrepo": Rules(reads_archives=False, full_pages=False),
    "pypi": Rules(
        file_exists=400,
        too_large=400,
        always_protected=True,
        identical_accepted=True,
        remembers_deleted=True,
        empty_page=200,
        unknown_uploader=403,
        limits_release_age=True,
    ),
}


@dataclass
class StoredFile:
    """A file as the server must serve it."""

    archive: Archive
    uploader: str
    archive_was_read: bool
    """Whether its archive was read, so that its metadata are served."""
    requires_python: str | None
    yanked: str | None = None
    upload_time: str | None = None
    """The upload time, if a request set it."""

    @property
    def blobs(self) -> int:
        return 2 if self.archive_was_read else 1


@dataclass
class StoredProject:
    """A project and its files by name."""

    files: dict[str, StoredFile] = field(default_factory=dict)
    status: str = "active"
    reason: str | None = None
    deleted: set[str] = field(default_factory=set)

    @property
    def is_old(self) -> bool:
        """Whether the only release has an upload time that a request set, years ago."""
        return any(file.upload_time for file in self.files.values())


@dataclass
class StoredRepository:
    """A repository with its settings and projects."""

    overwrite_protection: bool = False
    public: bool = False
    dialect: str = "modern"
    max_file_size: int | None = None
    projects: dict[str, StoredProject] = field(default_factory=dict)

    @property
    def rules(self) -> Rules:
        return RULES[self.dialect]

    @property
    def blobs(self) -> int:
        """The number of blobs of its files."""
        return sum(
            file.blobs for project in self.projects.values() for file in project.files.values()
        )

    def publish(
        self,
        project_name: str,
        archive: Archive,
        *,
        uploader: str,
        requires_python: str | None,
        through_api: bool = False,
    ) -> int:
        """Publish a file if the rules allow it; return the status of the response."""
        rules = self.rules
        if self.max_file_size is not None and len(archive.data) > self.max_file_size:
            return 413 if through_api else rules.too_large
        project = self.projects.get(project_name, StoredProject())
        if project.status in ("archived", "quarantined"):
            return 403
        status = self._status_for_existing_files(project, archive, through_api=through_api)
        if status is not None:
            return status
        self.projects[project_name] = project
        project.files[archive.filename] = StoredFile(
            archive,
            uploader,
            archive_was_read=rules.reads_archives,
            requires_python=requires_python if rules.reads_archives else None,
        )
        return 200

    def _status_for_existing_files(
        self, project: StoredProject, archive: Archive, *, through_api: bool
    ) -> int | None:
        rules = self.rules
        file_exists = 409 if through_api else rules.file_exists
        if rules.remembers_deleted and archive.filename in project.deleted:
            return file_exists
        existing = project.files.get(archive.filename)
        if existing is None:
            is_too_old = rules.limits_release_age and project.is_old and not through_api
            return 400 if is_too_old else None
        if rules.identical_accepted and existing.archive.data == archive.data:
            return 200
        is_protected = self.overwrite_protection or rules.always_protected
        return file_exists if is_protected else None

    def statuses_of_wrong_fields(self, project_name: str) -> set[int]:
        """Return the statuses with which an upload with a wrong field may be rejected."""
        project = self.projects.get(project_name, StoredProject())
        # PyPI compares the digests after it has looked for the project.
        takes_no_files = project.status in ("archived", "quarantined")
        return {400, 403} if self.dialect == "pypi" and takes_no_files else {400}

    def delete(self, project_name: str, filename: str) -> int:
        """Delete a file if it exists; return the status of the response."""
        project = self.projects.get(project_name)
        if project is None or project.files.pop(filename, None) is None:
            return 404
        if self.rules.remembers_deleted:
            project.deleted.add(filename)
        if not project.files and not project.deleted and project.status == "active":
            del self.projects[project_name]
        return 204


@dataclass
class StoredUser:
    """A repository user."""

    passphrase: str
    read_only: bool


@dataclass
class StoredToken:
    """A token.

    It is valid for this repository, but not for a later repository with the same name.
    """

    secret: str
    repository: StoredRepository
    read_only: bool
