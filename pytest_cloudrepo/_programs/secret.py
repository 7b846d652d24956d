"""Strings that subprocesses can use but reports do not show."""

from __future__ import annotations

from base64 import b64encode
from typing import Final
from urllib.parse import unquote, urlsplit

# The shortest passphrase that a server accepts. Masking shorter admin passwords would mask parts of
# ordinary words.
_SHORTEST_MASKED: Final = 8

ISSUED: dict[str, None] = {}
"""The secrets of this pytest session that its output must not show, in the order of creation."""


class Secret(str):
    """A string whose `repr` is `'***'`.

    So tracebacks, `--showlocals` and failed assertions do not show it. Otherwise it is an ordinary
    string: `str()`, formatting and printing show it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def issue(secret: str, *usernames: str) -> Secret:
    """Return a secret of this session, which is masked in program output and reports from now on.

    An admin password of fewer than 8 characters is not masked.

    Args:
        secret: a passphrase, token or password.
        usernames: the user names that programs send with it. HTTP encodes both together.
    """
    if len(secret) >= _SHORTEST_MASKED:
        ISSUED[secret] = None
        for username in usernames:
            ISSUED[b64encode(f"{username}:{secret}".encode()).decode("ascii").rstrip("=")] = None
    return Secret(secret)


def issue_as_username(token: str) -> None:
    """Mask a token also if programs send it as a user name, with any password.

    HTTP Basic authentication encodes the user name and the password together, in groups of three
    bytes. So the encodings with all passwords begin with the same text.
    """
    groups = len(token.encode()) // 3
    ISSUED[b64encode(token.encode()[: 3 * groups]).decode("ascii")] = None


def secret_in_url(url: str) -> str:
    """Return the secret in a URL: its password, or its user name if that is a token."""
    parts = urlsplit(url)
    username = unquote(parts.username or "")
    return username if username in ISSUED else unquote(parts.password or "")


def hide(environ: dict[str, str], *secrets: str) -> dict[str, str]:
    """Return a copy of `environ` in which each value that contains a secret is a `Secret`."""
    return {
        name: Secret(value) if any(secret in value for secret in secrets) else value
        for name, value in environ.items()
    }
