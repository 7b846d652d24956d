"""The status marker of a project, and the reasons of statuses and yanks."""

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_STATED_REASON

STATUSES = ("active", "archived", "quarantined", "deprecated")
"""https://packaging.python.org/specifications/project-status-markers/"""


def check_status_marker(status: str) -> None:
    """Check a status marker of a project (PEP 792).

    Raises:
        InvalidError: the status is unknown.
    """
    if status not in STATUSES:
        raise InvalidError(f"Unknown status {status[:64]!r}; use one of: {', '.join(STATUSES)}.")


def check_reason(reason: str | None) -> None:
    """Check the reason of a status or a yank.

    Raises:
        InvalidError: the reason is too long.
    """
    if reason is not None and len(reason) > MAX_STATED_REASON:
        raise InvalidError(f"The reason is too long: the limit is {MAX_STATED_REASON} characters.")
