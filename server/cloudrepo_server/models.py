"""The stored documents: repositories, projects and their files, users and tokens.

The names and types of fields are the stored format: a change must keep old documents readable.
"""

from collections.abc import Mapping
from typing import Self

import msgspec

from cloudrepo_server.keys import token_key


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is stored under one key."""

    revision: str = ""
    """The identifier of this version of the document; each change has a new one."""
    earlier: tuple[str, ...] = ()
    """The previous revisions, newest first; only shared stores keep them."""


class RepositorySettings(Document, frozen=True, kw_only=True):
    """The settings of a repository.

    The admin API derives its fields from this list. The settings form of the portal, the plugin's
    `settings.py` and the README repeat it.

    Only `RepositoryDocument` inherits from this class. The class inherits from `Document` because
    msgspec does not allow two base classes with fields.
    """

    overwrite_protection: bool = False
    public: bool = False
    dialect: str = "modern"
    rules: str | None = None
    max_file_size: int | None = None
    max_project_size: int | None = None
    max_release_age: float | None = None
    max_summary: int | None = None
    prohibited_names: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    upstream_strategy: str = "first-match"
    upstream_file_origins: tuple[str, ...] = ()
    digests: tuple[str, ...] | None = None
    page_max_age: int | None = None
    files: str | None = None
    file_url_seconds: float = 60.0
    logins: str = "known"
    anonymous: str = "nothing"
    private_projects: tuple[str, ...] = ()
    no_login_status: int | None = None
    no_access_status: int | None = None
    minted_token_seconds: float = 900.0
    disabled_identity_providers: tuple[str, ...] = ()


SETTINGS = tuple(
    field
    for field in msgspec.structs.fields(RepositorySettings)
    if field.name not in Document.__struct_fields__
)
"""The name, type and default of each setting."""


class TrustedPublisher(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job that may publish to a repository with an identity token of its provider."""

    id: str
    provider: str
    fields: dict[str, str]
    """What identifies the job, such as the source repository and the workflow."""
    project: str | None = None
    """The normalized name of the only project that it may publish, or None for all projects."""
    pending: bool = False
    """Whether the publisher was added before its project existed, and was not used since."""
    created: str


class RepositoryDocument(RepositorySettings, frozen=True, kw_only=True):
    """A repository, its settings and its trusted publishers."""

    id: str
    """Unique for each repository, so a new repository with an old name is empty."""
    name: str
    run: str | None = None
    """The pytest session that created it, if one did."""
    created: str
    publishers: tuple[TrustedPublisher, ...] = ()

    @property
    def settings(self) -> dict[str, object]:
        """The settings by name."""
        return {field.name: getattr(self, field.name) for field in SETTINGS}


# A project may have thousands of files. The garbage collector skips them, because they are in no
# reference cycle.
class ListedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A file on a project's page, with the properties that a page shows."""

    filename: str
    version: str | None
    size: int
    sha256: str
    upload_time: str
    uploader: str
    requires_python: str | None = None
    metadata_sha256: str | None = None
    yanked: str | None = None
    """The reason of the yank, which may be empty, or None if the file is not yanked."""
    attestations: str | None = None
    attestation_publisher: dict[str, str | None] | None = None
    """The trusted publisher that was compared with the attestations, as in provenance objects."""

    @property
    def digests(self) -> dict[str, str]:
        """The digests that pages list by default, by algorithm, in the order of preference."""
        return {"sha256": self.sha256}

    @property
    def known_digests(self) -> dict[str, str]:
        """All digests, by algorithm."""
        return self.digests


class File(ListedFile, frozen=True, kw_only=True, omit_defaults=True):
    """A file that was published to a repository of this server."""

    blake2_256: str | None = None
    md5: str | None = None
    other_digests: dict[str, str] = msgspec.field(default_factory=dict)
    """The digests that the setting `digests` added at the time of the upload, by algorithm."""
    blob: str
    """The key of the blob with the file's content."""
    metadata_blob: str | None = None
    """The key of the blob with its core metadata."""

    @property
    def known_digests(self) -> dict[str, str]:
        """All digests, by algorithm."""
        md5 = {} if self.md5 is None else {"md5": self.md5}
        return {**self.digests, **md5, **self.other_digests}

    @property
    def blobs(self) -> tuple[str, ...]:
        """The keys of all blobs of this file."""
        return (self.blob,) if self.metadata_blob is None else (self.blob, self.metadata_blob)


class RemoteFile(ListedFile, frozen=True, kw_only=True, omit_defaults=True):
    """A file of another index, which is an upstream of a repository; never stored."""

    url: str
    origins: tuple[str, ...] = ()
    """The origins to which its URLs may redirect, besides the origins of the URLs."""
    metadata_url: str | None = None
    all_digests: dict[str, str] = {}
    """The digests that the other index lists, by algorithm. It may list none."""

    @property
    def digests(self) -> dict[str, str]:
        """The digests that pages list by default, by algorithm, in the order of preference."""
        return self.all_digests


class ProjectDocument(Document, frozen=True, kw_only=True):
    """A project of a repository, with its files by name."""

    name: str
    files: dict[str, File] = msgspec.field(default_factory=dict)
    status: str = "active"
    status_reason: str | None = None
    deleted: tuple[str, ...] = ()
    """The names of deleted files, if the dialect does not allow their reuse."""

    def with_files(self, files: dict[str, File]) -> Self | None:
        """Return the project with these files, or None if it has nothing that must be stored."""
        if not files and not self.deleted and self.status == "active":
            return None
        return msgspec.structs.replace(self, files=files)


class ClaimDocument(Document, frozen=True, kw_only=True):
    """A claim of what only one project of a repository may have, such as a file name."""

    filename: str
    """The file, or an empty string if the claim is that of the project itself."""
    project: str


class ProjectSerial(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The serial of a project, and the project's revision to which it belongs."""

    number: int
    revision: str


class SerialsDocument(Document, frozen=True, kw_only=True):
    """The serials of a repository: the last serial, and the serial of each project."""

    last: int = 0
    projects: dict[str, ProjectSerial] = msgspec.field(default_factory=dict)
    settings: str = ""
    """The revision of the repository's document when all projects were last given serials."""


class UpstreamProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project with files of another index, or of several repositories and indexes; never stored.

    It has the fields of a `ProjectDocument` that a project's page shows.
    """

    name: str
    files: Mapping[str, File | RemoteFile]
    status: str = "active"
    status_reason: str | None = None
    revision: str


Project = ProjectDocument | UpstreamProject
"""A project that a page can show."""


class UserDocument(Document, frozen=True, kw_only=True):
    """A repository user."""

    email: str
    passphrase: str
    """A hash, which states its algorithm and cost."""
    read_only: bool = False
    run: str | None = None
    """The pytest session that created the user, if one did."""
    created: str


class TokenDocument(Document, frozen=True, kw_only=True):
    """A token, valid for one repository."""

    id: str
    repository: str
    repository_id: str
    secret: str
    """A hash."""
    read_only: bool = False
    created: str
    projects: tuple[str, ...] | None = None
    """The normalized names of the only projects that it may publish, or None for all projects."""
    publisher: str | None = None
    """The trusted publisher that it was minted for. Such a token is valid for uploads only."""
    attestation_publisher: dict[str, str | None] | None = None
    """The trusted publisher as provenance objects show it."""
    expires: float | None = None
    """The time from which it is not valid any more, in seconds since the epoch."""
    name: str = ""
    """What the token is for."""
    chosen_key: str | None = None
    """The key of this document if the value of the token was chosen; otherwise None."""
    last_used: float | None = None
    """The time of a use, in seconds since the epoch; it may be an hour older than the last use."""

    @property
    def key(self) -> str:
        """The key of this document."""
        return self.chosen_key or token_key(self.id)


class UsedIdentityDocument(Document, frozen=True, kw_only=True):
    """An identity token that was exchanged for an upload token, and cannot be used again."""

    expires: float
    """The time from which the identity token is rejected anyway, in seconds since the epoch."""
