"""Access control: who sent a request, and what they may do."""

import hashlib
import hmac
from urllib.parse import unquote

import msgspec

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.token_values import is_token
from cloudrepo_server.domain.tokens import Tokens, is_expired
from cloudrepo_server.domain.users import MAX_EMAIL, Users
from cloudrepo_server.domain.visibility import no_access_error, no_login_error
from cloudrepo_server.errors import (
    CloudRepoServerError,
    ExpiredTokenError,
    ForbiddenError,
    RepositoryNotFoundError,
    UnauthenticatedError,
)
from cloudrepo_server.logs.redaction import MASK, add_request_secret, redacted_record
from cloudrepo_server.models import TokenDocument
from cloudrepo_server.specs.provenance import Publisher
from cloudrepo_server.specs.timestamps import format_time


class AdminUser(msgspec.Struct, frozen=True):
    """The admin user: may use the portal and the admin API, but no repository."""

    name: str


class RepositoryUser(msgspec.Struct, frozen=True):
    """A repository user: may use every repository of the organization."""

    name: str
    read_only: bool


class TokenBearer(msgspec.Struct, frozen=True):
    """The bearer of a token: may use one repository."""

    name: str
    repository_id: str
    read_only: bool
    projects: frozenset[str] | None = None
    """The normalized names of the only projects that it may publish, or None for all projects."""
    upload_only: bool = False
    """Whether it may not read."""
    publisher: Publisher | None = None
    """The trusted publisher for which the token was minted, as provenance objects show it."""


Principal = AdminUser | RepositoryUser | TokenBearer

_NO_LOGIN = "Credentials are required: the user name and passphrase of a repository user."
_UNNAMED = "unnamed"
_WRONG_TOKEN = "The token is wrong, was revoked or has expired."  # noqa: S105 (a message)


class Access:
    """The authentication and authorization rules of an organization."""

    def __init__(
        self, users: Users, tokens: Tokens, *, admin_username: str, admin_password: str
    ) -> None:
        self._users = users
        self._tokens = tokens
        self.admin_username = admin_username
        self.admin_digest = _digest(admin_username, admin_password)
        """A digest of the admin user's name and password."""

    def prefetch(self, *, username: str | None, password: str | None) -> None:
        """Start reading, in the background, the documents that verify these credentials."""
        if username is not None:
            self._users.prefetch(username)
        for each in (username, password):
            if each is not None:
                self._tokens.prefetch(each)

    async def identify(
        self, username: str, password: str, *, repository_id: str | None = None, client: str = ""
    ) -> Principal:
        """Return the principal with this user name and password.

        A token is accepted as the password of any user name. It is also accepted as the user name,
        with any password or none, unless a user has this name.

        Args:
            username: the user name, or a token.
            password: the passphrase, the admin password or a token.
            repository_id: the repository of the request, whose tokens may have chosen values.
            client: the address of the client that sent the password. Clients whose passwords are
                slow to verify take turns.

        Raises:
            UnauthenticatedError: the credentials are wrong.
        """
        if self._is_admin(username, password):
            return AdminUser(username)
        user = await self._users.verify(username, password, client=client)
        if user is not None:
            return RepositoryUser(user.email, user.read_only)
        token = await self._tokens.find(password, repository_id=repository_id)
        if token is not None or is_token(password):
            return self._bearer(token)
        if username != self.admin_username and not await self._users.exists(username):
            token = await self._tokens.find(username, repository_id=repository_id)
            if token is not None or is_token(username):
                add_request_secret(username)
                return self._bearer(token)
        raise UnauthenticatedError(
            "The user name or passphrase is wrong." + _percent_encoding_hint(username)
        )

    async def identify_token(self, token: str, *, repository_id: str | None = None) -> TokenBearer:
        """Return the bearer of this token.

        Args:
            token: the token.
            repository_id: the repository of the request, whose tokens may have chosen values.

        Raises:
            UnauthenticatedError: the token is wrong, was revoked or has expired.
        """
        return self._bearer(await self._tokens.find(token, repository_id=repository_id))

    def _bearer(self, document: TokenDocument | None) -> TokenBearer:
        if document is None:
            raise UnauthenticatedError(_WRONG_TOKEN)
        if is_expired(document):
            expired = format_time(document.expires or 0.0)
            raise ExpiredTokenError(
                _WRONG_TOKEN, explanation=f"The token {_label(document)} expired at {expired}."
            )
        self._tokens.uses.record(document)
        return TokenBearer(
            document.publisher or f"token {document.id}",
            document.repository_id,
            document.read_only,
            None if document.projects is None else frozenset(document.projects),
            upload_only=document.publisher is not None,
            publisher=document.attestation_publisher,
        )

    def require_repository_user(
        self, principal: Principal | None, repository: Repository | None = None
    ) -> RepositoryUser | TokenBearer:
        """Return the principal if it may use repositories.

        Args:
            principal: the principal, or None if the request has no login.
            repository: the repository of the request, if it exists.

        Raises:
            UnauthenticatedError: there is no principal, or it is the admin user.
            ForbiddenError: there is no principal, and the settings require this error.
            NotFoundError: there is no principal, and the settings require this error.
        """
        if principal is None and repository is not None:
            raise no_login_error(
                repository.no_login_status,
                _NO_LOGIN,
                RepositoryNotFoundError(repository.name),
            )
        if principal is None:
            raise UnauthenticatedError(_NO_LOGIN)
        if isinstance(principal, AdminUser):
            raise UnauthenticatedError(
                "The admin user cannot use repositories: log in as a repository user."
            )
        return principal

    def require_permission(
        self, principal: RepositoryUser | TokenBearer, repository: Repository, *, write: bool
    ) -> None:
        """Check that the principal may read, or write, this repository.

        Raises:
            ForbiddenError: the principal does not have this permission.
            UnauthenticatedError: as above, if the settings require this error.
            NotFoundError: as above, if the settings require this error.
        """
        if isinstance(principal, TokenBearer) and principal.repository_id != repository.document.id:
            raise _no_access(
                repository, f"The token is not valid for the repository {repository.name}."
            )
        if write and principal.read_only:
            raise no_access_error(
                repository.upload_dialect.no_write_status,
                f"{principal.name} is read only and may not publish.",
                RepositoryNotFoundError(repository.name),
            )
        if not write and isinstance(principal, TokenBearer) and principal.upload_only:
            raise _no_access(
                repository,
                f"The token of {principal.name} is valid for uploads only, because trusted "
                "publishing minted it.",
            )

    async def require_project(
        self, principal: RepositoryUser | TokenBearer, repository: Repository, project: str
    ) -> None:
        """Check that the principal may publish a project, given by its normalized name.

        Raises:
            ForbiddenError: the principal is the bearer of a token for other projects.
            BrokenRuleError: the token is for other projects, PyPI's rules apply, and the project
                does not exist.
            StorageError: the store did not respond.
        """
        if not isinstance(principal, TokenBearer) or principal.projects is None:
            return
        if project in principal.projects:
            return
        if repository.applies_rules and not await _is_taken(repository, project):
            from cloudrepo_server.specs.pypi_rules.project_names import PROJECT_CREATOR

            raise PROJECT_CREATOR.broken(name=project).error()
        # PyPI's text.
        raise ForbiddenError(
            f"Invalid API Token: OIDC scoped token is not valid for project {project!r}"
        )

    def require_user(self, principal: Principal | None) -> AdminUser | RepositoryUser:
        """Return the principal if it is a user.

        Users may see all repositories; the bearer of a token may see only one.

        Raises:
            UnauthenticatedError: there is no principal.
            ForbiddenError: the principal is the bearer of a token.
        """
        if principal is None:
            raise UnauthenticatedError(
                "Credentials are required: log in as a repository user or as the admin user."
            )
        if isinstance(principal, TokenBearer):
            raise ForbiddenError(
                "A token is valid for one repository only: "
                "log in as a repository user or as the admin user."
            )
        return principal

    def require_admin(self, principal: Principal | None) -> AdminUser:
        """Return the principal if it is the admin user.

        Raises:
            UnauthenticatedError: there is no principal.
            ForbiddenError: the principal is not the admin user.
        """
        if principal is None:
            raise UnauthenticatedError("Credentials are required: log in as the admin user.")
        if not isinstance(principal, AdminUser):
            raise ForbiddenError(
                f"{principal.name} is not the admin user: log in as the admin user."
            )
        return principal

    def _is_admin(self, username: str, password: str) -> bool:
        return hmac.compare_digest(_digest(username, password), self.admin_digest)


def any_login(username: str, password: str) -> RepositoryUser:
    """Return a user for a login that is not checked.

    The user's name is shown and stored. So it contains neither secrets nor control characters.
    """
    shown = "".join(each if each.isprintable() else "?" for each in username[:MAX_EMAIL])
    if not password or is_token(username):
        shown = MASK
    return RepositoryUser(redacted_record(shown) or _UNNAMED, read_only=False)


def _no_access(repository: Repository, message: str) -> CloudRepoServerError:
    missing = RepositoryNotFoundError(repository.name)
    return no_access_error(repository.no_access_status, message, missing)


async def _is_taken(repository: Repository, project: str) -> bool:
    """Return whether a project exists, or is reserved for a trusted publisher."""
    publishers = repository.document.publishers
    reserved = {each.project for each in publishers if not each.pending}
    return project in reserved or await repository.project(project) is not None


def _label(token: TokenDocument) -> str:
    return f"{token.id} ({token.name})" if token.name else token.id


def _digest(username: str, password: str) -> bytes:
    return hashlib.sha256(f"{username}\0{password}".encode(errors="surrogateescape")).digest()


def _percent_encoding_hint(username: str) -> str:
    # twine, uv and pdm do not decode the user name in the URL of a repository.
    decoded = unquote(username)
    if decoded == username or "@" not in decoded:
        return ""
    return " The user name arrived percent-encoded: pass it outside of the URL."
