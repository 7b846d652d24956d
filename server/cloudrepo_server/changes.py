"""The changes that the current request makes: the domain notes them, the web layer records them.

The domain layer knows what changes, but not the request. The web layer adds who sent it, and how.
"""

from contextvars import ContextVar
from time import time
from typing import Literal

import msgspec

ChangeKind = Literal[
    "upload",
    "overwrite",
    "yank",
    "unyank",
    "delete-file",
    "delete-release",
    "delete-project",
    "change-file",
    "change-project",
    "create-repository",
    "change-settings",
    "delete-repository",
    "create-user",
    "change-user",
    "delete-user",
    "create-token",
    "change-token",
    "delete-token",
    "mint-token",
    "add-publisher",
    "remove-publisher",
    "add-fault",
    "remove-fault",
    "add-impersonation",
    "remove-impersonation",
    "clear-journal",
    "delete-damaged",
    "sign-in",
    "sign-in-link",
    "sign-out",
]
"""The kinds of changes."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a request has made."""

    kind: ChangeKind
    time: float
    """Seconds since the epoch."""
    repository: str | None = None
    subject: str = ""
    """The name of what was changed: a file, a project, a user or the id of a token."""
    detail: str = ""
    """What is different now, in words; never a secret."""


CHANGES: ContextVar[list[Change] | None] = ContextVar("changes", default=None)
"""The changes of the request that the current task handles; None without a request."""


def note_change(
    kind: ChangeKind, *, repository: str | None = None, subject: str = "", detail: str = ""
) -> None:
    """Note a change that was applied. Outside of a request, such as at the start, do nothing."""
    changes = CHANGES.get()
    if changes is not None:
        changes.append(
            Change(kind=kind, time=time(), repository=repository, subject=subject, detail=detail)
        )
