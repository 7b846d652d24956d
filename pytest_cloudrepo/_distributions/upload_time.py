"""When the index is to say that a file came."""

from __future__ import annotations

from datetime import datetime

from pytest_cloudrepo.errors import PackageError


def iso_format(moment: object) -> str:
    """Give a time in the ISO 8601 that the server takes."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise PackageError(f"upload_time is a time of ISO 8601, unlike {moment!r}") from None
    if not isinstance(moment, datetime):
        raise PackageError(f"upload_time is a datetime or a text of ISO 8601, not {moment!r}")
    if moment.tzinfo is None:
        raise PackageError(f"upload_time needs a time zone, such as datetime.UTC: {moment}")
    return moment.isoformat()
