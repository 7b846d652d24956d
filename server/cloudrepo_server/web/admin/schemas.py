"""The admin API's bodies and answers; OpenAPI's schemas are made from them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cloudrepo_server.domain.repository import STATUSES, Repository
from cloudrepo_server.domain.upstream import STRATEGIES, hide_password
from cloudrepo_server.domain.users import EMAIL, MAX_EMAIL, MAX_PASSPHRASE, MIN_PASSPHRASE
from cloudrepo_server.models import SETTINGS, File, ProjectDocument, TokenDocument, UserDocument
from cloudrepo_server.specs.dialect import DIALECTS
from cloudrepo_server.specs.simple_api import file_path
from cloudrepo_server.specs.timestamps import parse_upload_time

# The schema tells the rule; the domain checks it, since it says more clearly what is wrong.
RepositoryName = Annotated[str, Meta(extra_json_schema={"pattern": "^[a-z0-9_-]{1,32}$"})]
Email = Annotated[str, Meta(extra_json_schema={"pattern": f"^{EMAIL}$", "maxLength": MAX_EMAIL})]
Passphrase = Annotated[
    str, Meta(extra_json_schema={"minLength": MIN_PASSPHRASE, "maxLength": MAX_PASSPHRASE})
]
DialectName = Annotated[str, Meta(extra_json_schema={"enum": list(DIALECTS)})]
Status = Annotated[str, Meta(extra_json_schema={"enum": list(STATUSES)})]
Strategy = Annotated[str, Meta(extra_json_schema={"enum": list(STRATEGIES)})]
Bytes = Annotated[int, Meta(ge=0)]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


Run = Annotated[str, Meta(min_length=1, max_length=64)]


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request's body; a field that is not known is refused by name."""


def _with_settings(base: type[msgspec.Struct], *, optional: bool) -> Any:  # noqa: ANN401 (generated)
    """Return a struct with the fields of `base` and one for each repository setting."""
    types = {"dialect": DialectName, "max_file_size": Bytes | None, "upstream_strategy": Strategy}
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for setting in SETTINGS:
        type_ = types.get(setting.name, setting.type)
        fields.append(
            (setting.name, type_ | UnsetType, UNSET) if optional else (setting.name, type_)
        )
    return msgspec.defstruct("Settings", fields, bases=(base,), kw_only=True)


class RepositorySettings(_with_settings(Body, optional=True)):  # type: ignore[misc] # generated
    """What can be changed of a repository; what is left out stays as it is."""

    def given(self) -> dict[str, Any]:
        """The settings that the body names."""
        values = {setting.name: getattr(self, setting.name) for setting in SETTINGS}
        return {name: value for name, value in values.items() if value is not UNSET}


class NewRepository(RepositorySettings):
    """A repository's name and settings; `run` is the test run that it is made for."""

    name: RepositoryName
    run: Run | None = None

    def given(self) -> dict[str, Any]:
        """The settings that the body names, and the run."""
        return {**super().given(), "run": self.run}


class NewUser(Body, kw_only=True):
    """A repository user; without a passphrase one is generated.

    `run` is the test run that the user is made for.
    """

    email: Email
    passphrase: Passphrase | None = None
    read_only: bool = False
    run: Run | None = None


class UserChange(Body, kw_only=True):
    """What can be changed of a user."""

    passphrase: Passphrase | UnsetType = UNSET
    read_only: bool | UnsetType = UNSET


class NewToken(Body, kw_only=True):
    """What a token is for."""

    repository: RepositoryName
    read_only: bool = False


class Sweep(Body, kw_only=True):
    """What is to be removed: what test runs left that made nothing for so many seconds."""

    runs_older_than: Annotated[float, Meta(ge=0)]


class FileChange(Body, kw_only=True):
    """A yank (true, or the reason), its taking back (false), or another upload time."""

    yanked: bool | str | UnsetType = UNSET
    upload_time: Time | UnsetType = UNSET

    @property
    def yank_reason(self) -> str | None:
        """The reason of a yank, which may be empty; None takes it back."""
        if isinstance(self.yanked, str):
            return self.yanked
        return "" if self.yanked is True else None

    @property
    def time(self) -> str | None:
        """The upload time as it is stored, or None where none was given.

        Raises:
            InvalidError: it is not a time.
        """
        return None if self.upload_time is UNSET else parse_upload_time(self.upload_time)


class ProjectChange(Body, kw_only=True):
    """A project's status marker (PEP 792)."""

    status: Status
    reason: str | None = None


class RepositoryAnswer(_with_settings(msgspec.Struct, optional=False)):  # type: ignore[misc] # generated
    """A repository and its settings."""

    name: str
    url: str
    run: str | None
    created: Time

    @classmethod
    def of(cls, repository: Repository, url: str) -> "RepositoryAnswer":
        """The repository, found at `url`."""
        document = repository.document
        upstream = tuple(hide_password(each) for each in document.upstream)
        return cls(
            name=document.name,
            url=url,
            run=document.run,
            created=document.created,
            **{**document.settings, "upstream": upstream},
        )


class RepositoriesAnswer(msgspec.Struct):
    """Every repository, by name."""

    repositories: list[RepositoryAnswer]


class ProjectName(msgspec.Struct):
    """A project's normalized name."""

    name: str


class ProjectsAnswer(msgspec.Struct):
    """Every project, by name."""

    projects: list[ProjectName]


class FileAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A file; `yanked` is false, or the reason, which may be empty."""

    filename: str
    version: str | None
    size: int
    sha256: str
    upload_time: Time
    uploader: str
    requires_python: str | None
    yanked: Literal[False] | str
    url: str | UnsetType = UNSET

    @classmethod
    def of(cls, file: File, url: str | UnsetType = UNSET) -> "FileAnswer":
        """The file, found at `url`."""
        return cls(
            filename=file.filename,
            version=file.version,
            size=file.size,
            sha256=file.sha256,
            upload_time=file.upload_time,
            uploader=file.uploader,
            requires_python=file.requires_python,
            yanked=False if file.yanked is None else file.yanked,
            url=url,
        )


class ProjectAnswer(msgspec.Struct, kw_only=True):
    """A project, its status marker and its files, by name."""

    name: str
    status: str
    reason: str | None
    files: list[FileAnswer]

    @classmethod
    def of(cls, project: ProjectDocument, url: str) -> "ProjectAnswer":
        """The project of the repository at `url`."""
        return cls(
            name=project.name,
            status=project.status,
            reason=project.status_reason,
            files=[
                FileAnswer.of(project.files[name], file_path(url, project.name, name))
                for name in sorted(project.files)
            ],
        )


class UserAnswer(msgspec.Struct, kw_only=True):
    """A repository user; `passphrase` only where it was generated just now."""

    email: str
    read_only: bool
    run: str | None
    created: Time
    passphrase: str | UnsetType = UNSET

    @classmethod
    def of(cls, user: UserDocument, generated: str | None = None) -> "UserAnswer":
        """The user, with the passphrase that was generated."""
        return cls(
            email=user.email,
            read_only=user.read_only,
            run=user.run,
            created=user.created,
            passphrase=UNSET if generated is None else generated,
        )


class UsersAnswer(msgspec.Struct):
    """Every repository user, by address."""

    users: list[UserAnswer]


class TokenAnswer(msgspec.Struct, kw_only=True):
    """A token's description; `token` only where it was made just now."""

    id: str
    repository: str
    read_only: bool
    created: Time
    token: str | UnsetType = UNSET

    @classmethod
    def of(cls, document: TokenDocument, token: str | None = None) -> "TokenAnswer":
        """The description, with the token that was made."""
        return cls(
            id=document.id,
            repository=document.repository,
            read_only=document.read_only,
            created=document.created,
            token=UNSET if token is None else token,
        )


class TokensAnswer(msgspec.Struct):
    """Every token, oldest first."""

    tokens: list[TokenAnswer]


class RequestAnswer(msgspec.Struct, kw_only=True):
    """A request that a repository answered."""

    method: str
    path: str
    project: str | None
    filename: str | None
    user: str | None
    user_agent: str
    status: int
    reason: str
    bytes_sent: int
    seconds: float
    form: dict[str, list[str]] | None


class RequestsAnswer(msgspec.Struct):
    """The journal, oldest first."""

    requests: list[RequestAnswer]
    last: int
    """The number of the newest request that arrived, from 1; 0 if none arrived."""


class FaultAnswer(msgspec.Struct, kw_only=True):
    """A fault, with the details of its kind, and how often it struck."""

    kind: str
    id: str
    struck: int


class FaultsAnswer(msgspec.Struct):
    """Every fault, oldest first."""

    faults: list[FaultAnswer]


class NewImpersonation(Body, kw_only=True):
    """URLs that a repository stands for, and hosts that are let through to the real ones."""

    urls: list[str] = []
    allow: list[str] = []


class ImpersonationAnswer(msgspec.Struct):
    """A proxy with credentials, and the PEM of what programs must trust, this once.

    `ca` is null where the extra `tls` is not installed; then no https URL can be stood for.
    """

    id: str
    proxy: str
    ca: str | None


class SnippetAnswer(msgspec.Struct):
    """Commands for a POSIX shell, or the text of a file where `file` says which."""

    title: str
    text: str
    file: str | None


class ToolAnswer(msgspec.Struct):
    """What one client must be told: environment variables, or what a person copies."""

    variables: dict[str, str]
    snippets: list[SnippetAnswer]


class ConnectionAnswer(msgspec.Struct, kw_only=True):
    """A repository's connection settings; `YOUR-PASSPHRASE` stands where the passphrase goes."""

    url: str
    index_url: str
    username: str
    tools: dict[str, ToolAnswer]


class ErrorAnswer(msgspec.Struct):
    """Why not; `error` and `message` are the same sentence, `code` has the status before it."""

    error: str
    message: str
    code: str
