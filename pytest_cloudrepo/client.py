"""The index server, as a test sees it."""

from __future__ import annotations

import contextlib
import os
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pytest_cloudrepo._api import Api
from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo.credentials import RepositoryUser, Token
from pytest_cloudrepo.errors import ServerError
from pytest_cloudrepo.repository import Repository
from pytest_cloudrepo.settings import RepositorySettings, checked

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

COMMAND_TIMEOUT = 120.0
# Of a repository's name, which has at most 32 characters: 21, a hyphen, and two for each byte.
READABLE = 21
RANDOM = 5


class Server:
    """An index server, as its admin user sees it."""

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        *,
        folder: Path,
        command_timeout: float = COMMAND_TIMEOUT,
        run: str | None = None,
    ) -> None:
        """Describe a server that runs.

        Args:
            url: where it answers.
            username: the admin user's.
            password: likewise.
            folder: below it the programs that repositories run get their homes and caches.
            command_timeout: how many seconds such a program may take.
            run: whose repositories and users these are; if the run is killed, the server can tell
                by it what was left.
        """
        self.url = url.rstrip("/")
        """Where it answers; the Admin Portal is there too."""
        self.admin_username = username
        """The admin user's name."""
        self.admin_password = Secret(password)
        """The admin user's password."""
        self._api = Api(self.url, username, password)
        self._folder = folder
        self._command_timeout = command_timeout
        self._run = run
        self._made: list[Repository | RepositoryUser] = []

    def __repr__(self) -> str:
        return f"<Server {self.url}>"

    def check(self) -> None:
        """Make sure that it answers, and lets this admin user in.

        Raises:
            ServerError: it does not, or is another kind of server.
        """
        __tracebackhide__ = True
        name = unique("nothing")
        try:
            self._api.call("GET", "repositories", name)
        except ServerError as error:
            if error.status is None:
                raise
            if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                said = f"the index server at {self.url} refuses {self.admin_username!r}"
            elif error.status == HTTPStatus.NOT_FOUND and name in str(error):
                return
            else:
                said = f"what answers at {self.url} is no index server"
            raise ServerError(f"{said}: {error}", status=error.status) from None

    def create_repository(
        self,
        name: str | None = None,
        *,
        user: RepositoryUser | None = None,
        environment: Environment | None = None,
        **settings: Unpack[RepositorySettings],
    ) -> Repository:
        """Give a new, empty repository.

        Args:
            name: 1 to 32 of `a-z`, `0-9`, `_` and `-`; a new one if left out.
            user: whose login it has; a read/write user of its own if left out.
            environment: in which its programs run; one of its own if left out.
            settings: its settings.

        Raises:
            ServerError: the name is taken or a setting is wrong.
        """
        __tracebackhide__ = True
        sent = checked(settings)
        sent |= {"name": name or unique("repository"), "run": self._run}
        if "upstream" in settings:
            sent["upstream"] = [
                one if isinstance(one, str) else one.name for one in settings["upstream"]
            ]
        made = self._api.call("POST", "repositories", json=sent)
        user = user or self.create_user(f"{made['name']}@example.com")
        repository = Repository(
            self._api,
            made["name"],
            made["url"],
            user,
            environment=environment or Environment(self._folder / made["name"]),
            command_timeout=self._command_timeout,
        )
        self._made.append(repository)
        return repository

    def delete_repository(self, repository: Repository) -> None:
        """Remove a repository and all that is in it."""
        __tracebackhide__ = True
        self._api.call("DELETE", "repositories", repository.name)

    def create_user(
        self,
        email: str | None = None,
        *,
        passphrase: str | None = None,
        read_only: bool = False,
    ) -> RepositoryUser:
        """Give a new repository user.

        Args:
            email: a new one under example.com if left out.
            passphrase: at least 8 characters; the server makes one if left out.
            read_only: whether the user's uploads are refused.

        Raises:
            ServerError: the address is taken or the passphrase too short.
        """
        __tracebackhide__ = True
        sent: dict[str, Any] = {
            "email": email or f"{unique('user')}@example.com",
            "read_only": read_only,
            "run": self._run,
        }
        if passphrase is not None:
            sent["passphrase"] = Secret(passphrase)
        made = self._api.call("POST", "users", json=sent)
        secret = passphrase if passphrase is not None else made["passphrase"]
        user = RepositoryUser(made["email"], Secret(secret), made["read_only"])
        self._made.append(user)
        return user

    def delete_user(self, user: RepositoryUser | Token) -> None:
        """Revoke a user's access, or a token, at once."""
        __tracebackhide__ = True
        path = ("tokens", user.id) if isinstance(user, Token) else ("users", user.email)
        self._api.call("DELETE", *path)

    def create_token(self, repository: Repository, *, read_only: bool = False) -> Token:
        """Give a new token of a repository; `Repository.as_user` lets programs log in with it.

        Args:
            repository: the one that it opens.
            read_only: whether its uploads are refused.
        """
        __tracebackhide__ = True
        sent = {"repository": repository.name, "read_only": read_only}
        made = self._api.call("POST", "tokens", json=sent)
        return Token(made["id"], Secret(made["token"]), made["read_only"])

    def discard(self, repository: Repository) -> None:
        """Remove a repository and its user, as far as they are there and the server answers."""
        self._discard(repository, repository.user)

    def discard_all(self) -> None:
        """Remove likewise all repositories and users that were created through this object."""
        self._discard(*self._made)

    def _discard(self, *made: Repository | RepositoryUser | Token) -> None:
        for one in made:
            with contextlib.suppress(ServerError):
                if isinstance(one, Repository):
                    self.delete_repository(one)
                else:
                    self.delete_user(one)
        self._made = [one for one in self._made if one not in made]

    def close(self) -> None:
        """Close the connections; the server stays."""
        self._api.close()


def unique(stem: str) -> str:
    """A repository's name that nobody else has, and that says what it is for."""
    words = re.sub(r"[^a-z0-9_]+", "-", stem.lower()).strip("-")[:READABLE].rstrip("-")
    return f"{words}-{os.urandom(RANDOM).hex()}".lstrip("-")
