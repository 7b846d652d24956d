"""What an organization must hold after what was asked of it: every rule, written a second time."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.archives import Archive


@dataclass(frozen=True)
class Rules:
    """What differs by dialect, of the three that differ most."""

    taken: int = 409
    too_large: int = 413
    always_protected: bool = False
    identical_is_fine: bool = False
    remembers_deleted: bool = False
    reads_archives: bool = True
    tells_all: bool = True
    """Whether pages have digests, yanks and statuses, and exist as JSON too."""
    empty_page: int = 404


RULES = {
    "modern": Rules(),
    "cloudrepo": Rules(reads_archives=False, tells_all=False),
    "pypi": Rules(
        taken=400,
        too_large=400,
        always_protected=True,
        identical_is_fine=True,
        remembers_deleted=True,
        empty_page=200,
    ),
}


@dataclass
class StoredFile:
    """A file as it must be served."""

    archive: Archive
    uploader: str
    read: bool
    """Whether its archive was read, so that its metadata are served."""
    requires_python: str | None
    yanked: str | None = None
    upload_time: str | None = None
    """Where it was set."""

    @property
    def blobs(self) -> int:
        return 2 if self.read else 1


@dataclass
class StoredProject:
    """A project's files by name."""

    files: dict[str, StoredFile] = field(default_factory=dict)
    status: str = "active"
    reason: str | None = None
    deleted: set[str] = field(default_factory=set)


@dataclass
class StoredRepository:
    """A repository's settings and projects."""

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
        """How many blobs its files have."""
        return sum(
            file.blobs for project in self.projects.values() for file in project.files.values()
        )

    def publish(
        self,
        project_name: str,
        archive: Archive,
        *,
        by: str,
        requires_python: str | None,
        through_api: bool = False,
    ) -> int:
        """Take a file as the rules say; the status that must be answered."""
        rules = self.rules
        if self.max_file_size is not None and len(archive.data) > self.max_file_size:
            return 413 if through_api else rules.too_large
        project = self.projects.get(project_name, StoredProject())
        if project.status in ("archived", "quarantined"):
            return 403
        taken = 409 if through_api else rules.taken
        if rules.remembers_deleted and archive.filename in project.deleted:
            return taken
        there = project.files.get(archive.filename)
        if there is not None:
            if rules.identical_is_fine and there.archive.data == archive.data:
                return 200
            if self.overwrite_protection or rules.always_protected:
                return taken
        self.projects[project_name] = project
        project.files[archive.filename] = StoredFile(
            archive,
            by,
            read=rules.reads_archives,
            requires_python=requires_python if rules.reads_archives else None,
        )
        return 200

    def delete(self, project_name: str, filename: str) -> int:
        """Delete a file as the rules say; the status that must be answered."""
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
    """A token, and the repository for which it is good, which no other of that name is."""

    secret: str
    repository: StoredRepository
    read_only: bool
