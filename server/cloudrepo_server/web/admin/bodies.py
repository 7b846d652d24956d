"""The JSON bodies of requests to the admin API; the OpenAPI schemas are generated from them."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cloudrepo_server.limits import MAX_IDENTITY_TOKEN, MAX_IMPERSONATED_URLS
from cloudrepo_server.models import SETTINGS
from cloudrepo_server.specs.timestamps import parse_upload_time
from cloudrepo_server.testkit.impersonated_urls import IndexUrls
from cloudrepo_server.testkit.impersonation import ProxyLogin
from cloudrepo_server.web.admin.schema_types import (
    Email,
    Passphrase,
    ProviderName,
    RepositoryName,
    Run,
    Status,
    Time,
    TokenName,
    TokenSeconds,
    TokenValue,
    with_settings,
)


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The body of a request; unknown fields are rejected by name."""


class RepositorySettings(with_settings(Body, optional=True)):  # type: ignore[misc] # generated
    """Settings of a repository; a setting that is missing keeps its value."""

    def given(self) -> dict[str, Any]:
        """Return the settings that the body has."""
        values = {setting.name: getattr(self, setting.name) for setting in SETTINGS}
        return {name: value for name, value in values.items() if value is not UNSET}


class NewRepository(RepositorySettings):
    """The name and settings of a new repository, and the pytest session (`run`) that creates it."""

    name: RepositoryName
    run: Run | None = None

    def given(self) -> dict[str, Any]:
        """Return the settings that the body has, and the run."""
        return {**super().given(), "run": self.run}


class NewUser(Body, kw_only=True, frozen=True):
    """A new repository user. A missing passphrase is generated.

    `run` is the pytest session that creates the user.
    """

    email: Email
    passphrase: Passphrase | None = None
    read_only: bool = False
    run: Run | None = None


class UserChange(Body, kw_only=True, frozen=True):
    """Changes of a repository user; a field that is missing keeps its value."""

    passphrase: Passphrase | UnsetType = UNSET
    read_only: bool | UnsetType = UNSET


class NewToken(Body, kw_only=True, frozen=True):
    """The repository for which a new token is valid, its access, and its lifetime in seconds.

    Without `value`, the server generates the token. Without `expires_in`, it does not expire.
    """

    repository: RepositoryName
    read_only: bool = False
    name: TokenName = ""
    value: TokenValue | None = None
    expires_in: TokenSeconds | None = None


class TokenChange(Body, kw_only=True, frozen=True):
    """Changes of a token; a field that is missing keeps its value.

    `expires_in` is the number of seconds from now. Zero or less means that the token has expired,
    and null that it never expires.
    """

    name: TokenName | UnsetType = UNSET
    expires_in: TokenSeconds | UnsetType | None = UNSET


class NewSignInLink(Body, kw_only=True, frozen=True):
    """The repository that a new sign-in link leads to."""

    repository: RepositoryName


class Sweep(Body, kw_only=True, frozen=True):
    """The minimum age in seconds of the pytest sessions whose leftovers are deleted."""

    runs_older_than: Annotated[float, Meta(ge=0)]


class FileDetails(Body, kw_only=True, frozen=True):
    """Details of a file. For `yanked`, true or a reason yanks the file; false undoes the yank."""

    yanked: bool | str | UnsetType = UNSET
    upload_time: Time | UnsetType = UNSET

    @property
    def yank_reason(self) -> str | None:
        """The reason of a yank, which may be empty, or None to undo a yank."""
        if isinstance(self.yanked, str):
            return self.yanked
        return "" if self.yanked is True else None

    @property
    def time(self) -> str | None:
        """The upload time in the format in which it is stored, or None if it is missing.

        Raises:
            InvalidError: it is not a valid time.
        """
        return None if self.upload_time is UNSET else parse_upload_time(self.upload_time)


class FileChange(FileDetails, kw_only=True, frozen=True):
    """Changes of a file; a field that is missing keeps its value."""


FilesDetails = dict[str, FileDetails]
"""The details of several new files, by the names of the files."""


class ProjectChange(Body, kw_only=True, frozen=True):
    """A project's status marker (PEP 792) and the reason for it."""

    status: Status
    reason: str | None = None


class NewImpersonation(Body, kw_only=True, frozen=True):
    """The URLs to serve a repository under, and the real hosts that stay reachable.

    All URLs of the `indexes` are impersonated: uploads, simple API, JSON API, integrity API, files.
    With `requires_login`, reads need a login at every URL. With `proxy_login`, the proxy has this
    login and a port of its own, and the journal lists rejected logins. `job` is the `request_token`
    of the CI job, if the clients run in one.
    """

    urls: Annotated[list[str], Meta(max_length=MAX_IMPERSONATED_URLS)] = []
    allow: Annotated[list[str], Meta(max_length=MAX_IMPERSONATED_URLS)] = []
    indexes: Annotated[list[IndexUrls], Meta(max_length=MAX_IMPERSONATED_URLS)] = []
    requires_login: bool = False
    proxy_login: ProxyLogin | None = None
    job: Annotated[str, Meta(max_length=MAX_IDENTITY_TOKEN)] | None = None


class HttpsOptions(Body, kw_only=True, frozen=True):
    """Whether clients need a certificate of the server's throwaway certificate authority."""

    client_certificates: bool = False


class NewPublisher(Body, kw_only=True, frozen=True):
    """A trusted publisher: the provider of its identity, and the fields that identify its job.

    Without a project it may publish every project.
    """

    provider: ProviderName
    fields: dict[str, str]
    project: str | None = None


class NewJob(Body, kw_only=True, frozen=True):
    """A CI job: the provider of its identity, and its claims.

    The claims may have the fields of a trusted publisher, such as `repository` and `workflow`.
    """

    provider: ProviderName
    claims: dict[str, Any]


class NewIdentityToken(NewJob, kw_only=True, frozen=True):
    """An identity token: its audience, and the seconds until it expires and until it is valid."""

    audience: str = "pypi"
    expires_in: float | None = None
    valid_in: float = 0.0
