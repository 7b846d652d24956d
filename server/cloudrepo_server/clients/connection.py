"""The URL and credentials with which a client reaches a repository."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

SECTION: Final = "cloudrepo"
"""The repository's name in every tool's configuration, as in CloudRepo's documentation.

It consists of letters only, because Poetry accepts no other name in environment variables.
"""

TOKEN_USER: Final = "__token__"  # noqa: S105 (no secret)
"""The user name with which tools send a token."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A repository's URL and name, with the credentials of one of its users."""

    url: str
    name: str
    username: str
    password: str = field(repr=False)

    @property
    def index_url(self) -> str:
        """The repository's URL with percent-encoded credentials in it."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{quote(self.username, safe='')}:{quote(self.password, safe='')}@{rest}"
