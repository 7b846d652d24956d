"""What is stored, as documents: repositories, their projects and files, users and tokens."""

import msgspec


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored under one key; `revision` is new with every change.

    `earlier` are revisions before it, the newest first, where several servers write.
    """

    revision: str = ""
    earlier: tuple[str, ...] = ()


class RepositoryDocument(Document, frozen=True, kw_only=True):
    """A repository and its settings; `id` is new for each, so a name used again starts empty."""

    id: str
    name: str
    overwrite_protection: bool = False
    public: bool = False
    dialect: str = "modern"
    max_file_size: int | None = None
    upstream: tuple[str, ...] = ()
    upstream_strategy: str = "first-match"
    run: str | None = None
    """The test run that made it, if one did."""
    created: str


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One published file; `yanked` is None, or the reason, which may be empty."""

    filename: str
    version: str | None
    size: int
    sha256: str
    blake2_256: str | None = None
    blob: str
    upload_time: str
    uploader: str
    requires_python: str | None = None
    metadata_sha256: str | None = None
    metadata_blob: str | None = None
    yanked: str | None = None
    attestations: str | None = None

    @property
    def blobs(self) -> tuple[str, ...]:
        """The keys of all blobs that belong to this file."""
        return (self.blob,) if self.metadata_blob is None else (self.blob, self.metadata_blob)


class ProjectDocument(Document, frozen=True, kw_only=True):
    """A project and its files by name; `deleted` are the names that must not come again."""

    name: str
    files: dict[str, File] = msgspec.field(default_factory=dict)
    status: str = "active"
    status_reason: str | None = None
    deleted: tuple[str, ...] = ()


class UserDocument(Document, frozen=True, kw_only=True):
    """A repository user; `passphrase` is a hash that says how it was made."""

    email: str
    passphrase: str
    read_only: bool = False
    run: str | None = None
    """The test run that made it, if one did."""
    created: str


class TokenDocument(Document, frozen=True, kw_only=True):
    """What stands for one repository; `secret` is a hash."""

    id: str
    repository: str
    repository_id: str
    secret: str
    read_only: bool = False
    created: str
