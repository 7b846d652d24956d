"""Upload times of files."""

from __future__ import annotations

from datetime import datetime

from pytest_cloudrepo.errors import PackageError


def iso_format(moment: object) -> str:
    """Return a time in ISO 8601, as the admin API expects it.

    Raises:
        PackageError: `moment` is not a time, or has no time zone.
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise PackageError(f"upload_time must be an ISO 8601 time, not {moment!r}") from None
    if not isinstance(moment, datetime):
        raise PackageError(f"upload_time must be a datetime or an ISO 8601 string, not {moment!r}")
    if moment.tzinfo is None:
        raise PackageError(f"upload_time must have a time zone, such as datetime.UTC: {moment}")
    return moment.isoformat()
