"""Credentials: repository users, tokens, and the admin login of an existing server."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field

from pytest_cloudrepo._programs.secret import Secret, issue_as_username
from pytest_cloudrepo.errors import CloudRepoError

_ADMIN_LOGIN_VARIABLES = ("CLOUDREPO_ADMIN_USERNAME", "CLOUDREPO_ADMIN_PASSWORD")


@dataclass(frozen=True, slots=True)
class RepositoryUser:
    """A user who can read every repository and, unless `read_only` is set, upload files."""

    email: str
    """The user name, which is usually an e-mail address."""
    passphrase: Secret = field(repr=False)
    """The user's passphrase; the user's `repr` does not show it."""
    read_only: bool = False
    """Whether the server rejects the user's uploads."""

    @property
    def username(self) -> str:
        """The user name for tools such as pip and twine; the same as `email`."""
        return self.email

    @property
    def password(self) -> Secret:
        """The password for tools such as pip and twine, which is the passphrase."""
        return self.passphrase

    @property
    def secret(self) -> Secret:
        """The secret that the credentials contain, which is the passphrase."""
        return self.passphrase


@dataclass(frozen=True, slots=True)
class Token:
    """A credential for one repository, used instead of a user name and a passphrase."""

    id: str
    """The token's identifier in the admin API."""
    token: Secret = field(repr=False)
    """The token itself; the object's `repr` does not show it."""
    read_only: bool = False
    """Whether the server rejects uploads with the token."""
    name: str = ""
    """What the token is for, as the portal shows it."""
    expires: float | None = None
    """The time at which it expires, in seconds since the epoch, or None if it never expires.

    `Server.expire_token` does not change this value."""
    username: str = "__token__"
    """The user name for tools such as pip and twine. Most dialects accept any other name too."""

    @property
    def password(self) -> Secret:
        """The password for tools such as pip and twine, which is the token."""
        return self.token

    @property
    def secret(self) -> Secret:
        """The secret that the credentials contain, which is the token."""
        return self.token

    def as_username(self, password: str = "") -> TokenAsUsername:
        """Return the same token as a user name, for `Repository.as_user`.

        Args:
            password: the password that tools send with it, which the server ignores.
        """
        issue_as_username(self.token)
        return TokenAsUsername(self, Secret(password))


@dataclass(frozen=True, slots=True)
class TokenAsUsername:
    """A token that tools send as the user name, as some registries require."""

    token: Token
    """The token."""
    password: Secret = field(default=Secret(), repr=False)
    """The password that tools send with it, which the server ignores. It may be empty."""

    @property
    def username(self) -> Secret:
        """The user name for tools such as pip and twine, which is the token."""
        return self.token.token

    @property
    def secret(self) -> Secret:
        """The secret that the credentials contain, which is the token."""
        return self.token.token

    @property
    def read_only(self) -> bool:
        """Whether the server rejects uploads with the token."""
        return self.token.read_only


def login_from_environment() -> tuple[str, Secret]:
    """Return the admin login of an existing server, from the environment variables.

    Raises:
        CloudRepoError: the variables are not set, or a value is not text.
    """
    missing = [name for name in _ADMIN_LOGIN_VARIABLES if not os.environ.get(name)]
    if missing:
        raise CloudRepoError(
            f"--cloudrepo-url requires the server's admin login: set {' and '.join(missing)}"
        )
    username, password = map(_text_of_variable, _ADMIN_LOGIN_VARIABLES)
    return username, Secret(password)


def _text_of_variable(name: str) -> str:
    value = os.environ[name]
    try:
        value.encode()
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        # The message does not quote the value, which may be a password.
        raise CloudRepoError(
            f"the value of {name} is not text in the encoding {encoding}"
        ) from None
    return value
