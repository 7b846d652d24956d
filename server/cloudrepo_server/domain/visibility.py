"""Who may see a repository and its projects, and the errors for everybody else."""

import re
from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from cloudrepo_server.errors import (
    AccessDeniedError,
    CloudRepoServerError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)
from cloudrepo_server.limits import MAX_PRIVATE_PROJECTS, MAX_PROJECT_NAME
from cloudrepo_server.models import RepositoryDocument

KNOWN, ANY = LOGINS = ("known", "any")
"""The values of the setting `logins`: which logins a repository accepts."""
NOTHING, READ, UPLOAD = ANONYMOUS = ("nothing", "read", "upload")
"""The values of the setting `anonymous`: what clients may do without a login."""
HIDING_STATUSES = (401, 403, 404)
"""The values of the settings `no_login_status` and `no_access_status`."""

_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]*\*?", re.ASCII | re.IGNORECASE)
_SEPARATORS = re.compile(r"[-_.]+")


class PrivateProjects(msgspec.Struct, frozen=True):
    """The projects of a repository that clients without a login cannot see."""

    names: frozenset[str]
    prefixes: tuple[str, ...]
    """The prefixes of normalized names."""

    @classmethod
    def of(cls, document: RepositoryDocument) -> "PrivateProjects":
        """Return the private projects of a repository."""
        patterns = [_SEPARATORS.sub("-", each).lower() for each in document.private_projects]
        return cls(
            frozenset(each for each in patterns if not each.endswith("*")),
            tuple(each[:-1] for each in patterns if each.endswith("*")),
        )

    def __contains__(self, name: str) -> bool:
        """Return whether a project, given by its normalized name, is private."""
        return name in self.names or name.startswith(self.prefixes)


def check_access_settings(document: RepositoryDocument) -> None:
    """Check the settings of a repository that concern logins.

    Raises:
        InvalidError: a setting is not valid.
    """
    for name, values in (("logins", LOGINS), ("anonymous", ANONYMOUS)):
        value = getattr(document, name)
        if value not in values:
            raise InvalidError(f"Unknown {name} {value[:64]!r}; use one of: {', '.join(values)}.")
    for name in ("no_login_status", "no_access_status"):
        if getattr(document, name) not in (None, *HIDING_STATUSES):
            raise InvalidError(
                f"{name} must be 401, 403 or 404, or null for the value of the dialect."
            )
    check_private_projects(document.private_projects)


def check_private_projects(patterns: Sequence[str]) -> None:
    """Check the setting `private_projects`.

    Raises:
        InvalidError: there are too many entries, or an entry is neither a name nor a prefix.
    """
    if len(patterns) > MAX_PRIVATE_PROJECTS:
        raise InvalidError(f"private_projects can have at most {MAX_PRIVATE_PROJECTS} entries.")
    for pattern in patterns:
        if len(pattern) > MAX_PROJECT_NAME or _PATTERN.fullmatch(pattern) is None:
            raise InvalidError(
                f"private_projects: {pattern[:64]!r} is neither the name of a project nor a prefix "
                "of names such as acme-*."
            )


def no_login_error(status: int, message: str, missing: NotFoundError) -> CloudRepoServerError:
    """Return the error for a request without the login that it needs.

    Args:
        status: the status of the response: 401, 403 or 404.
        message: the reason. With the status 404, only the journal has it.
        missing: the error for a repository or project that does not exist.
    """
    if status == HTTPStatus.UNAUTHORIZED:
        return UnauthenticatedError(message)
    return _hiding_error(status, message, missing)


def no_access_error(status: int, message: str, missing: NotFoundError) -> CloudRepoServerError:
    """Return the error for a login that may not see the repository; see `no_login_error`."""
    if status == HTTPStatus.UNAUTHORIZED:
        return AccessDeniedError(message)
    return _hiding_error(status, message, missing)


def _hiding_error(status: int, message: str, missing: NotFoundError) -> CloudRepoServerError:
    if status == HTTPStatus.NOT_FOUND:
        missing.explanation = message
        return missing
    return ForbiddenError(message)
