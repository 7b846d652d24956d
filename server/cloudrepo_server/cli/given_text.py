"""Text that the user gives in arguments and environment variables, which may contain any bytes."""

import os
import sys

from cloudrepo_server.errors import InvalidError

ENCODING = sys.getfilesystemencoding()
"""The encoding of arguments and environment variables."""


def is_text(value: str) -> bool:
    """Return whether a value from the command line or the environment is text.

    Bytes that are no text in the encoding of the system become lone surrogates (PEP 383). A path
    may contain them, but they cannot be sent.
    """
    return not any("\ud800" <= char <= "\udfff" for char in value)


def environment_text(name: str) -> str | None:
    """Return the value of an environment variable, or None if it is not set or empty.

    Raises:
        InvalidError: it is not text; the message does not quote it, as it may be a password.
    """
    value = os.environ.get(name)
    if value and not is_text(value):
        raise InvalidError(f"the value of {name} is not text in the encoding {ENCODING}")
    return value or None
