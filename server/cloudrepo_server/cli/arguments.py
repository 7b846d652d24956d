"""Types of arguments: each function checks the text of one argument and returns its value.

Each raises `argparse.ArgumentTypeError` if the text is not valid.
"""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cloudrepo_server.errors import InvalidError

if TYPE_CHECKING:
    from cloudrepo_server.specs.identity_providers.specification import PublisherSpecification

_LAST_PORT = 65535
_LAST_PID = (1 << 31) - 1
_MAX_SECONDS = 86_400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MAX_AGE_DIGITS = 9
_MAX_INTEGER_DIGITS = 15


def data_location(text: str) -> Path | str:
    """Return the path of a folder, or the URL of an object store."""
    scheme, separator, _ = text.partition("://")
    if not separator:
        return Path(text)
    # Imported here because most servers have no object store.
    from cloudrepo_server.storage import SHARED_SCHEMES

    if scheme not in SHARED_SCHEMES:
        supported = ", ".join(f"{each}://" for each in SHARED_SCHEMES)
        raise argparse.ArgumentTypeError(
            f"{scheme}:// is not a supported object store: use {supported}, or the path of a folder"
        )
    with contextlib.suppress(ValueError):
        urlsplit(text)
        return text
    raise argparse.ArgumentTypeError(
        "not a valid URL of an object store, such as s3://bucket/index"
    )


def port(text: str) -> int:
    """Return a port number; 0 means a free port."""
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a port number: use an integer from 0 to {_LAST_PORT}"
        )
    return int(text)


def positive_integer(text: str) -> int:
    """Return an integer above 0."""
    if not text.isdecimal() or len(text) > _MAX_INTEGER_DIGITS or int(text) == 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a positive integer of at most {_MAX_INTEGER_DIGITS} digits"
        )
    return int(text)


def process_id(text: str) -> int:
    """Return a process id."""
    if not text.isdecimal() or not 0 < int(text) <= _LAST_PID:
        raise argparse.ArgumentTypeError(f"{text!r} is not a process id")
    return int(text)


def seconds(text: str) -> float:
    """Return a number of seconds, at most a day."""
    with contextlib.suppress(ValueError):
        if 0 <= (number := float(text)) <= _MAX_SECONDS:
            return number
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a valid number of seconds: use a number from 0 to {_MAX_SECONDS}"
    )


def positive_seconds(text: str) -> float:
    """Return a number of seconds above 0, at most a day."""
    number = seconds(text)
    if not number:
        raise argparse.ArgumentTypeError(
            f"{text!r} would disconnect every client at once: use a number above 0"
        )
    return number


def age(text: str) -> float:
    """Return an age in seconds, from a text such as `90m`."""
    return _duration(text, "an age")


def lifetime(text: str) -> float:
    """Return a lifetime in seconds, from a text such as `90d`."""
    return _duration(text, "a time")


def _duration(text: str, what: str) -> float:
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or len(number) > _MAX_AGE_DIGITS or unit not in _UNITS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not {what}: use a number and a unit, such as 45s, 90m, 12h or 2d"
        )
    return float(int(number) * _UNITS[unit])


def moment(text: str) -> str:
    """Return a time in the format of the simple API, from a date in UTC or a time with a zone."""
    # Imported here because few commands need them.
    from datetime import UTC, date, datetime, time

    from cloudrepo_server.specs.timestamps import parse_upload_time

    with contextlib.suppress(ValueError):
        text = datetime.combine(date.fromisoformat(text), time(tzinfo=UTC)).isoformat()
    try:
        return parse_upload_time(text)
    except InvalidError as error:
        raise argparse.ArgumentTypeError(str(error).removesuffix(".")) from None


def server_url(text: str) -> str:
    """Return the URL of a server; credentials in the URL are rejected."""
    # Imported here because few commands need it.
    from cloudrepo_server.clients import is_web_url

    if not is_web_url(text) or "@" in text:
        # The message does not quote the text, which may contain a password.
        raise argparse.ArgumentTypeError(
            "not an http or https URL without credentials, such as http://index.example:8080"
        )
    return text


def printable_name(text: str) -> str:
    """Return a name that can be part of a header and of a line in the log."""
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid name: use one line of printable characters"
        )
    return text


def index_url(text: str) -> str:
    """Return the URL of an index, given the URL or the name of a public index."""
    # Imported here because few commands need them.
    from cloudrepo_server.clients import (
        PUBLIC_INDEXES,
        PublicIndexError,
        is_web_url,
        public_index,
    )

    if text in PUBLIC_INDEXES:
        try:
            return public_index(text).simple
        except PublicIndexError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    if not is_web_url(text):
        # The message does not quote the text, which may contain a password.
        raise argparse.ArgumentTypeError(
            f"not an http or https URL: use the URL of an index, or {' or '.join(PUBLIC_INDEXES)}"
        )
    return text


def publisher(text: str) -> "PublisherSpecification":
    """Return the trusted publisher that a text such as `github:acme/demo/release.yml` describes."""
    # Imported here because few commands need them.
    from cloudrepo_server.clients import WITHOUT_JOBS
    from cloudrepo_server.specs.identity_providers.specification import parse_publisher

    try:
        specification = parse_publisher(text)
    except InvalidError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if specification.provider in WITHOUT_JOBS:
        raise argparse.ArgumentTypeError(
            f"programs in a job of {specification.provider} cannot request identity tokens, "
            "so no command can be rehearsed in such a job"
        )
    return specification
