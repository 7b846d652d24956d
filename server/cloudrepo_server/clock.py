"""Times as the simple API writes them."""

import re
from datetime import UTC, datetime

from cloudrepo_server.errors import InvalidError

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
# PEP 700: UTC, "Z", and at most six digits of a second.
_UPLOAD_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


def now() -> str:
    """This moment, UTC, to the microsecond."""
    return datetime.now(UTC).strftime(_FORMAT)


def read_time(text: str) -> str:
    """An upload time as it is stored.

    Raises:
        InvalidError: it is not a time, or not in UTC.
    """
    try:
        if _UPLOAD_TIME.fullmatch(text) is not None:
            return datetime.fromisoformat(text).astimezone(UTC).strftime(_FORMAT)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).strftime(_FORMAT)
    except (ValueError, OverflowError):
        pass
    raise InvalidError(f"{text[:64]!r} is not a time with a zone, such as 2026-01-31T12:00:00Z.")
