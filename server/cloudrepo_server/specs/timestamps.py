"""Timestamps in the format of the simple API."""

from datetime import UTC, datetime

from cloudrepo_server.errors import InvalidError


def now() -> str:
    """Return the current time in UTC, to the microsecond."""
    return _format(datetime.now(UTC))


def format_time(seconds: float) -> str:
    """Return a time, given in seconds since the epoch."""
    return _format(datetime.fromtimestamp(seconds, UTC))


def parse_upload_time(text: str) -> str:
    """Return an upload time in the format in which it is stored.

    Raises:
        InvalidError: it is not a timestamp with a time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return _format(moment)
    except (ValueError, OverflowError):
        pass
    raise InvalidError(
        f"{text[:64]!r} is not a timestamp with a time zone, such as 2026-01-31T12:00:00Z."
    )


def _format(moment: datetime) -> str:
    # PEP 700: UTC, "Z", and at most six digits of a second. Not strftime, which does not pad the
    # year to four digits on every system.
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
