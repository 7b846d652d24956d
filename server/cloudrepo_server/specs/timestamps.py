"""Times as the simple API writes them."""

import re
from datetime import UTC, datetime

from cloudrepo_server.errors import InvalidError

# PEP 700: UTC, "Z", and at most six digits of a second.
_UPLOAD_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


def now() -> str:
    """This moment, UTC, to the microsecond."""
    return _written(datetime.now(UTC))


def parse_upload_time(text: str) -> str:
    """An upload time as it is stored.

    Raises:
        InvalidError: it is not a time, or not in UTC.
    """
    try:
        if _UPLOAD_TIME.fullmatch(text) is not None:
            return _written(datetime.fromisoformat(text))
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return _written(moment)
    except (ValueError, OverflowError):
        pass
    raise InvalidError(f"{text[:64]!r} is not a time with a zone, such as 2026-01-31T12:00:00Z.")


def _written(moment: datetime) -> str:
    # Not by strftime, whose years have four digits on some systems only.
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
