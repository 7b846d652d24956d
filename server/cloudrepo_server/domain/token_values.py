"""The values of tokens: generated ones, chosen ones, and their names and lifetimes."""

import re
from time import time

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import (
    MAX_TOKEN_NAME,
    MAX_TOKEN_SECONDS,
    MAX_TOKEN_VALUE,
    MIN_TOKEN_VALUE,
)

TOKEN_PREFIX = "cloudrepo."  # noqa: S105 (the first part of every token, and no secret)
CHOSEN_VALUE = r"[A-Za-z0-9._~+/-]+=*"
"""The pattern of a chosen value, as RFC 6750 defines bearer tokens.

No value contains a colon or an @ sign, so a value is neither an e-mail address nor cut off in the
header of HTTP Basic authentication.
"""

# PyPI's publishing action warns about a token without this prefix.
_MINTED = "pypi-"
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def generated_token(token_id: str, secret: str, *, minted: bool) -> str:
    """Return a token as its bearer sends it; `minted` tokens are for trusted publishers."""
    return f"{_MINTED if minted else ''}{TOKEN_PREFIX}{token_id}.{secret}"


def is_token(password: str) -> bool:
    """Return whether a password has the form of a generated token; it need not be valid."""
    return password.removeprefix(_MINTED).startswith(TOKEN_PREFIX)


def is_token_id(text: str) -> bool:
    """Return whether a text has the form of a token's id."""
    return _ID.fullmatch(text) is not None


def split_token(token: str) -> tuple[str, str]:
    """Return the id and the secret of a generated token, or two empty strings for other texts."""
    if not is_token(token):
        return "", ""
    token_id, _, secret = token.removeprefix(_MINTED).removeprefix(TOKEN_PREFIX).partition(".")
    # The id becomes a part of a key, and stores limit the length of a key.
    return (token_id, secret) if secret and is_token_id(token_id) else ("", "")


def is_chosen_value(text: str) -> bool:
    """Return whether a text can be the chosen value of a token."""
    return (
        MIN_TOKEN_VALUE <= len(text) <= MAX_TOKEN_VALUE
        and not is_token(text)
        and re.fullmatch(CHOSEN_VALUE, text) is not None
    )


def check_value(value: str) -> str:
    """Check the chosen value of a token, and return it. Error messages do not contain it.

    Raises:
        InvalidError: a token cannot have this value.
    """
    if is_token(value):
        raise InvalidError(
            f"The value of a token must not begin with {TOKEN_PREFIX}, as generated tokens do."
        )
    if not is_chosen_value(value):
        raise InvalidError(
            f"The value of a token must have {MIN_TOKEN_VALUE} to {MAX_TOKEN_VALUE} of the "
            "characters A-Z, a-z, 0-9, '.', '_', '~', '+', '/' and '-', and may end with '='."
        )
    return value


def check_name(name: str) -> None:
    """Check the name of a token.

    Raises:
        InvalidError: the name is too long, or contains control characters.
    """
    if len(name) > MAX_TOKEN_NAME or not name.isprintable():
        raise InvalidError(
            f"The name of a token can have at most {MAX_TOKEN_NAME} characters, and no control "
            "characters."
        )


def time_of_expiry(expires_in: float) -> float:
    """Return the time at which a token expires, in seconds since the epoch.

    Args:
        expires_in: the seconds from now until then. A negative number is allowed: tests need
            tokens that have expired.

    Raises:
        InvalidError: the number is too large or too small.
    """
    if not abs(expires_in) <= MAX_TOKEN_SECONDS:
        raise InvalidError(
            f"expires_in must be a number of seconds from -{MAX_TOKEN_SECONDS:.0f} to "
            f"{MAX_TOKEN_SECONDS:.0f}, or null for a token that does not expire."
        )
    return time() + expires_in
