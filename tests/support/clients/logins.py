"""User names and passphrases with special characters, which clients must send unchanged."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.credentials import RepositoryUser


@dataclass(frozen=True, slots=True)
class Login:
    """The special characters of a user name and a passphrase, and a label for them."""

    label: str
    in_both: str
    in_passphrase: str = ""

    def create_user(self, server: Server) -> RepositoryUser:
        """Create a user with these characters in the user name and in the passphrase."""
        local_part = f"a{self.in_both}b{secrets.token_hex(4)}"
        if " " in local_part:
            local_part = f'"{local_part}"'
        passphrase = f"open{self.in_both}{self.in_passphrase}sesame"
        return server.create_user(f"{local_part}@example.com", passphrase=passphrase)


NO_SPECIAL_CHARACTERS: Final = Login("no special characters", "")
ONE_SPECIAL_CHARACTER: Final = (
    *(Login(f"`{character}`", character) for character in "@/#?+&="),
    # A percent-encoded A, which a client must not decode.
    Login("`%`", "%41"),
    Login("`é`", "é"),
    Login("a space", " "),
    # RFC 7617 forbids a colon in the user name.
    Login("`:`", "", ":"),
)
ALL_SPECIAL_CHARACTERS: Final = Login(
    "all special characters", "".join(each.in_both for each in ONE_SPECIAL_CHARACTER), ":"
)
NO_SLASH_IN_USER_NAME: Final = Login(
    "no slash in the user name", ALL_SPECIAL_CHARACTERS.in_both.replace("/", ""), ":/"
)
