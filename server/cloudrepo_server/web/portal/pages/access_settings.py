"""The part of the repository settings that concerns logins."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cloudrepo_server.domain.visibility import (
    ANY,
    HIDING_STATUSES,
    KNOWN,
    NOTHING,
    READ,
    UPLOAD,
    check_private_projects,
)
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.web.portal.form_errors import FormErrors

LOGIN_CHOICES: Final[Mapping[str, tuple[str, str]]] = {
    KNOWN: ("Known", "Logins of users and tokens are checked."),
    ANY: ("Any", "Any user name and password may read and upload. Nothing is checked."),
}
"""The label and the description of each choice of accepted logins."""

ANONYMOUS_CHOICES: Final[Mapping[str, tuple[str, str]]] = {
    NOTHING: ("Nothing", "Every request to the repository's own URL needs a login."),
    READ: ("Read", "Reads need no login. Uploads need one."),
    UPLOAD: ("Read and upload", "Neither reads nor uploads need a login."),
}
"""The label and the description of each choice of what requests without a login may do."""

_BY_DIALECT: Final = "default"
STATUS_CHOICES: Final = (_BY_DIALECT, *map(str, HIDING_STATUSES))
"""The choices of the status for clients that may not see something."""

_STATUS_FIELDS = ("no_login_status", "no_access_status")


def read_access(form: Mapping[str, str], errors: FormErrors) -> dict[str, Any]:
    """Return the settings about logins in a submitted form, and add the errors of its fields."""
    settings: dict[str, Any] = {
        "logins": form.get("logins", KNOWN),
        "anonymous": form.get("anonymous", NOTHING),
        "private_projects": tuple(form.get("private_projects", "").replace(",", " ").split()),
    }
    for name, choices in (("logins", LOGIN_CHOICES), ("anonymous", ANONYMOUS_CHOICES)):
        if settings[name] not in choices:
            errors.add(name, _unknown("choice", settings[name], choices))
    with errors.at("private_projects"):
        check_private_projects(settings["private_projects"])
    for name in _STATUS_FIELDS:
        value = form.get(name, _BY_DIALECT)
        if value not in STATUS_CHOICES:
            errors.add(name, _unknown("status", value, STATUS_CHOICES))
        else:
            settings[name] = None if value == _BY_DIALECT else int(value)
    return settings


def _unknown(kind: str, value: str, choices: Iterable[str]) -> InvalidError:
    return InvalidError(f"Unknown {kind} {value[:64]!r}: use one of {', '.join(choices)}.")


def access_form(document: RepositoryDocument) -> dict[str, str]:
    """Return the values of the form's fields for the settings of a repository."""
    return {
        "logins": document.logins,
        "anonymous": document.anonymous,
        "private_projects": " ".join(document.private_projects),
        "no_login_status": str(document.no_login_status or _BY_DIALECT),
        "no_access_status": str(document.no_access_status or _BY_DIALECT),
    }
