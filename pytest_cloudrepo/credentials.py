"""Credentials: repository users, tokens, and the admin login of an existing server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo.errors import CloudRepoError


@dataclass(frozen=True, slots=True)
class RepositoryUser:
    """Somebody who may read, and unless read only also publish, in every repository."""

    email: str
    """The user's name."""
    passphrase: Secret = field(repr=False)
    """What the user logs in with; its `repr` hides it."""
    read_only: bool = False
    """Whether uploads are refused."""

    @property
    def username(self) -> str:
        """The e-mail address, which is what the tools call a user name."""
        return self.email

    @property
    def password(self) -> Secret:
        """The passphrase, which is what the tools call a password."""
        return self.passphrase


@dataclass(frozen=True, slots=True)
class Token:
    """What opens one repository, in the place of a user's name and passphrase."""

    id: str
    """What the admin API calls it."""
    token: Secret = field(repr=False)
    """What programs log in with; its `repr` hides it."""
    read_only: bool = False
    """Whether uploads are refused."""

    @property
    def username(self) -> str:
        """The name that the tools are told beside a token; any other does as well."""
        return "__token__"

    @property
    def password(self) -> Secret:
        """The token, which is what the tools call a password."""
        return self.token


def login_from_environment() -> tuple[str, Secret]:
    """The admin user of a server that somebody else started.

    Raises:
        CloudRepoError: the variables are not set.
    """
    names = ("CLOUDREPO_ADMIN_USERNAME", "CLOUDREPO_ADMIN_PASSWORD")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise CloudRepoError(
            f"--cloudrepo-url needs the server's admin login: set {' and '.join(missing)}"
        )
    username, password = (os.environ[name] for name in names)
    return username, Secret(password)
