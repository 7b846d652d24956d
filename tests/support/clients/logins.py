"""User names and passphrases that clients have to carry unharmed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.credentials import RepositoryUser


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and a passphrase, in both of which the same stands."""

    name: str
    in_both: str
    in_passphrase: str = ""

    def user(self, server: Server) -> RepositoryUser:
        """Make a user with this login."""
        local = f"a{self.in_both}b{secrets.token_hex(4)}"
        if " " in local:
            local = f'"{local}"'
        passphrase = f"open{self.in_both}{self.in_passphrase}sesame"
        return server.create_user(f"{local}@example.com", passphrase=passphrase)


PLAIN: Final = Login("nothing of the kind", "")
EACH: Final = (
    *(Login(f"`{character}`", character) for character in "@/#?+&="),
    # So that it would be decoded.
    Login("`%`", "%41"),
    Login("`é`", "é"),
    Login("a blank", " "),
    # Which a user name cannot have (RFC 7617).
    Login("`:`", "", ":"),
)
HARD: Final = Login("all of them", "".join(one.in_both for one in EACH), ":")
NO_SLASH_IN_NAME: Final = Login("all", HARD.in_both.replace("/", ""), ":/")
