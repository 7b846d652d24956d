"""The index server as tests see it: create and delete repositories, users and tokens."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pytest_cloudrepo import settings as repository_settings
from pytest_cloudrepo._api import Api
from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo._programs.secret import Secret, issue
from pytest_cloudrepo.credentials import RepositoryUser, Token, TokenAsUsername
from pytest_cloudrepo.errors import ServerError, UncheckedRulesWarning
from pytest_cloudrepo.https import Https
from pytest_cloudrepo.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Unpack

    from pytest_cloudrepo.https import ClientCertificate
    from pytest_cloudrepo.settings import RepositorySettings

_COMMAND_TIMEOUT = 120.0
# A repository's name has at most 32 characters: this many of the test's name, a hyphen, and two
# hexadecimal digits for each random byte.
_NAME_STEM_LENGTH = 21
_RANDOM_BYTES = 5


class Server:
    """An index server, with the rights of its admin user."""

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        *,
        folder: Path,
        command_timeout: float = _COMMAND_TIMEOUT,
        run: str | None = None,
    ) -> None:
        """Describe a running server.

        Args:
            url: the server's URL.
            username: the admin user's name.
            password: the admin user's password.
            folder: the folder for the home folders and caches of the repositories' subprocesses.
            command_timeout: the seconds after which such a subprocess is stopped.
            run: the name of the pytest session. The server stores it with each new repository and
                user, to identify the leftovers of killed sessions.
        """
        self.url = url.rstrip("/")
        """The server's URL, which is also the URL of the Admin Portal."""
        self.admin_username = username
        """The admin user's name, for the portal and the admin API."""
        self.admin_password = issue(password, username)
        """The admin user's password, for the portal and the admin API."""
        self._api = Api(self.url, username, password)
        self._folder = folder
        self._command_timeout = command_timeout
        self._run = run
        self._https = Https(self._api, folder / "https")
        self.observers: list[Callable[[Repository, int], None]] = []
        """Functions that are called with each repository that is created or opened, and with the
        number of the last request that the repository had received before."""
        self._created: list[Repository | RepositoryUser] = []

    def __repr__(self) -> str:
        return f"<Server {self.url}>"

    @property
    def ca(self) -> Path:
        """The file with the CA certificate that clients of `Repository.https_url` must trust.

        It belongs to a throwaway certificate authority of the server, whose key is in no file.
        """
        __tracebackhide__ = True
        return self._https.ca

    @property
    def client_certificate(self) -> ClientCertificate:
        """The certificate that clients of `Repository.mutual_tls_url` must have."""
        __tracebackhide__ = True
        return self._https.client_certificate

    def check(self) -> None:
        """Check that the server responds and accepts the admin login.

        Raises:
            ServerError: the server does not respond, rejects the login, or is no cloudrepo-server.
        """
        __tracebackhide__ = True
        name = unique_name("nothing")
        try:
            self._api.call("GET", "repositories", name)
        except ServerError as error:
            if error.status is None:
                raise
            if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                problem = (
                    f"the index server at {self.url} rejected the admin login of "
                    f"{self.admin_username!r}"
                )
            elif error.status == HTTPStatus.NOT_FOUND and name in str(error):
                return
            else:
                problem = f"the server at {self.url} is not a cloudrepo-server"
            raise ServerError(f"{problem}: {error}", status=error.status) from None

    def create_repository(
        self,
        name: str | None = None,
        *,
        user: RepositoryUser | None = None,
        environment: Environment | None = None,
        **settings: Unpack[RepositorySettings],
    ) -> Repository:
        """Create an empty repository, and return it.

        Args:
            name: 1 to 32 characters of `a-z`, `0-9`, `_` and `-`. By default a new, unique name.
            user: the user whose credentials the repository's subprocesses have. By default a new
                read/write user.
            environment: the environment of the repository's subprocesses. By default a new one.
            settings: the repository's settings.

        Raises:
            TypeError: a setting is unknown, or has the wrong type.
            ServerError: the name is taken, or the server rejected a setting's value.
        """
        __tracebackhide__ = True
        body = repository_settings.to_json(settings)
        body |= {"name": name or unique_name("repository"), "run": self._run}
        created = self._api.call("POST", "repositories", json=body)
        if created.get("unchecked_rules"):
            # A server of an earlier version has no such rules.
            warnings.warn(
                "these rules of PyPI are not checked, because the server lacks the extra pypi: "
                f"{', '.join(created['unchecked_rules'])}; "
                'run python -m pip install "pytest-cloudrepo[pypi]"',
                UncheckedRulesWarning,
                stacklevel=2,
            )
        user = user or self.create_user(f"{created['name']}@example.com")
        repository = self._repository(created, user, environment)
        self._created.append(repository)
        for observe in self.observers:
            observe(repository, 0)
        return repository

    def _repository(
        self, found: dict[str, Any], user: RepositoryUser, environment: Environment | None
    ) -> Repository:
        return Repository(
            self._api,
            found["name"],
            found["url"],
            user,
            environment=environment or Environment(self._folder / found["name"]),
            command_timeout=self._command_timeout,
        )

    def repository(
        self,
        name: str,
        *,
        user: RepositoryUser | None = None,
        environment: Environment | None = None,
    ) -> Repository:
        """Return an existing repository, with the credentials of a user.

        At the end of the session, a new user is deleted. The repository is not.

        Args:
            name: the name of the repository.
            user: the user whose credentials the repository's subprocesses have. By default a new
                read/write user.
            environment: the environment of the repository's subprocesses. By default a new one.

        Raises:
            ServerError: there is no such repository.
        """
        __tracebackhide__ = True
        found = self._api.call("GET", "repositories", name)
        repository = self._repository(found, user or self.create_user(), environment)
        for observe in self.observers:
            observe(repository, repository.last_request or 0)
        return repository

    def delete_repository(self, repository: Repository | str) -> None:
        """Delete a repository and all its files. It is given as an object or by its name."""
        __tracebackhide__ = True
        name = repository if isinstance(repository, str) else repository.name
        self._api.call("DELETE", "repositories", name)

    def keep(self, repository: Repository) -> None:
        """Let `discard_all` keep a repository that this object created."""
        self._created.remove(repository)

    def create_user(
        self,
        email: str | None = None,
        *,
        passphrase: str | None = None,
        read_only: bool = False,
    ) -> RepositoryUser:
        """Create a repository user, and return it.

        Args:
            email: the user name, usually an e-mail address. By default a new, unique address at
                example.com.
            passphrase: at least 8 characters. By default the server generates a passphrase.
            read_only: whether the server rejects the user's uploads.

        Raises:
            ServerError: the user name is taken or invalid, or the passphrase is too short.
        """
        __tracebackhide__ = True
        body: dict[str, Any] = {
            "email": email or f"{unique_name('user')}@example.com",
            "read_only": read_only,
            "run": self._run,
        }
        if passphrase is not None:
            body["passphrase"] = Secret(passphrase)
        created = self._api.call("POST", "users", json=body)
        secret = passphrase if passphrase is not None else created["passphrase"]
        email = created["email"]
        user = RepositoryUser(email, issue(secret, email), created["read_only"])
        self._created.append(user)
        return user

    def delete_user(self, user: RepositoryUser | Token | TokenAsUsername) -> None:
        """Delete a user or a token; its credentials are invalid from the next request on."""
        __tracebackhide__ = True
        if isinstance(user, TokenAsUsername):
            user = user.token
        path = ("tokens", user.id) if isinstance(user, Token) else ("users", user.email)
        self._api.call("DELETE", *path)

    def create_token(
        self,
        repository: Repository,
        *,
        read_only: bool = False,
        name: str = "",
        value: str | None = None,
        expires_in: float | None = None,
    ) -> Token:
        """Create a token for one repository, and return it. Use it with `Repository.as_user`.

        Args:
            repository: the repository for which the token is valid.
            read_only: whether the server rejects uploads with the token.
            name: what the token is for, as the portal shows it.
            value: the token itself, of 8 to 2,048 characters. By default the server generates it.
            expires_in: the seconds after which the token expires, which may be negative. By default
                it never expires.

        Raises:
            ServerError: an argument is invalid, or the repository has a token with this value.
        """
        __tracebackhide__ = True
        body = {
            "repository": repository.name,
            "read_only": read_only,
            "name": name,
            "value": None if value is None else issue(value, "__token__"),
            "expires_in": expires_in,
        }
        created = self._api.call("POST", "tokens", json=body)
        token = issue(created["token"], "__token__", created["username"])
        return Token(
            created["id"],
            token,
            created["read_only"],
            created["name"],
            created["expires"],
            created["username"],
        )

    def expire_token(self, token: Token, *, expires_in: float = 0.0) -> None:
        """Change when a token expires: by default, it is invalid from the next request on.

        Requests that are in progress are not interrupted.

        Args:
            token: the token.
            expires_in: the seconds after which it expires.
        """
        __tracebackhide__ = True
        self._api.call("PATCH", "tokens", token.id, json={"expires_in": expires_in})

    def discard(self, repository: Repository) -> None:
        """Delete a repository and its user; ignore errors."""
        self._discard(repository, repository.user)

    def discard_all(self) -> None:
        """Delete all repositories and users that this object created; ignore errors."""
        self._discard(*self._created)

    def _discard(self, *objects: Repository | RepositoryUser | Token | TokenAsUsername) -> None:
        for each in objects:
            with contextlib.suppress(ServerError):
                if isinstance(each, Repository):
                    self.delete_repository(each)
                else:
                    self.delete_user(each)
        self._created = [each for each in self._created if each not in objects]

    def close(self) -> None:
        """Close the connections to the server; the server keeps running."""
        self._api.close()


def unique_name(stem: str) -> str:
    """Return a unique name that begins with `stem`, without characters that are not allowed."""
    words = re.sub(r"[^a-z0-9_]+", "-", stem.lower()).strip("-")[:_NAME_STEM_LENGTH].rstrip("-")
    return f"{words}-{os.urandom(_RANDOM_BYTES).hex()}".lstrip("-")
