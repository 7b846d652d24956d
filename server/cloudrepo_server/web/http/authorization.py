"""Parses the header `Authorization`."""

import base64
import binascii
import contextlib
from functools import lru_cache

from cloudrepo_server.errors import UnauthenticatedError

# Each request parses its header several times, and a client usually sends the same header again.
_CACHED_HEADERS = 64


@lru_cache(_CACHED_HEADERS)
def parse_authorization(header: str | None) -> tuple[str | None, str] | None:
    """Return the user name and the password in the header, or None if there is no header.

    The user name is None for a bearer token.

    Raises:
        UnauthenticatedError: the header is malformed.
    """
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return None, value.strip()
    if scheme.lower() != "basic":
        raise UnauthenticatedError(
            "Unsupported authentication scheme: use Basic, or Bearer with a token."
        )
    return _decode_basic(value.strip())


@lru_cache(_CACHED_HEADERS)
def secrets_of(header: str | None) -> tuple[str, ...]:
    """Return the secrets in the header: the password or token, and the encoded credentials.

    A user name without a password is a secret too, because it is a token.
    """
    if header is None:
        return ()
    scheme, _, value = header.partition(" ")
    encoded = value.strip() or scheme
    with contextlib.suppress(UnauthenticatedError):
        credentials = parse_authorization(header)
        if credentials is not None:
            username, password = credentials
            return password or username or "", encoded
    return (encoded,)


def _decode_basic(encoded: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise UnauthenticatedError("The Basic credentials are not valid base64.") from None
    try:
        credentials = decoded.decode()
    except UnicodeDecodeError:
        # Clients that do not implement RFC 7617 send Latin-1.
        credentials = decoded.decode("latin-1")
    # The user name ends at the first colon; a passphrase may contain colons.
    username, _, password = credentials.partition(":")
    return username, password
