"""Repository Settings: overwrite protection, access, dialect, rules, file size, host of files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from cloudrepo_server.domain.page_settings import check_file_url_seconds, check_place
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.rule_settings import check_rules
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.specs.dialects import DIALECTS, NONE, PYPI, get_dialect
from cloudrepo_server.specs.file_urls import INDEX, OTHER_HOST, REDIRECT
from cloudrepo_server.web.http.paths import PUBLIC
from cloudrepo_server.web.http.urls import repository_url
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.forms import is_checked
from cloudrepo_server.web.portal.pages.access_settings import (
    ANONYMOUS_CHOICES,
    LOGIN_CHOICES,
    STATUS_CHOICES,
    access_form,
    read_access,
)
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_BY_DIALECT = "default"
_DEFAULT_URL_SECONDS = 60.0
_RULES = {
    _BY_DIALECT: ("Default", "The dialect decides: the rules apply in the dialect pypi only."),
    PYPI: (
        "On",
        "Uploads that PyPI would reject are rejected, including overwrites.",
    ),
    NONE: ("Off", "The rules do not apply, even in the dialect pypi."),
}
_PLACES = {
    _BY_DIALECT: (
        "Default",
        "The dialect decides: the index, or a redirect to another host in the dialect azure.",
    ),
    INDEX: ("Index", "Files are on the host of the index, which requires a login."),
    OTHER_HOST: ("Other host", "Pages link to another host, which requires no login, as on PyPI."),
    REDIRECT: (
        "Redirect",
        "The index redirects to signed URLs on another host, which expire, as in many registries.",
    ),
}
_MAX_SIZE_DIGITS = len(str(1 << 50))


@dataclass(frozen=True, slots=True)
class SettingChoices:
    """The choices in the settings form."""

    units: tuple[str, ...]
    dialects: Mapping[str, str]
    logins: Mapping[str, tuple[str, str]]
    anonymous: Mapping[str, tuple[str, str]]
    statuses: tuple[str, ...]
    rules: Mapping[str, tuple[str, str]]
    """The label and the description of each choice of PyPI's rules."""
    places: Mapping[str, tuple[str, str]]
    """The label and the description of each choice of the host of files."""
    always_protected: tuple[str, ...]
    """The dialects in which overwrite protection cannot be switched off."""


def setting_choices() -> SettingChoices:
    """Return the choices in the settings form."""
    return SettingChoices(
        units=tuple(_UNITS),
        dialects={name: dialect.summary for name, dialect in DIALECTS.items()},
        logins=LOGIN_CHOICES,
        anonymous=ANONYMOUS_CHOICES,
        statuses=STATUS_CHOICES,
        rules=_RULES,
        places=_PLACES,
        always_protected=tuple(
            name for name, dialect in DIALECTS.items() if dialect.always_protected
        ),
    )


def read_settings(form: Mapping[str, str], errors: FormErrors) -> dict[str, Any]:
    """Return the settings in a submitted form, and add the errors of its fields."""
    rules = form.get("rules", _BY_DIALECT)
    settings: dict[str, Any] = {
        "overwrite_protection": is_checked(form, "overwrite_protection"),
        "public": form.get("public") == "yes",
        "dialect": form.get("dialect", "modern"),
        "rules": None if rules == _BY_DIALECT else rules,
    }
    settings |= read_access(form, errors)
    with errors.at("dialect"):
        get_dialect(settings["dialect"])
    with errors.at("rules"):
        check_rules(settings["rules"])
    with errors.at("max_file_size"):
        size = form.get("max_file_size", "")
        settings["max_file_size"] = _parse_size(size, form.get("unit", "bytes"))
    files = form.get("files", _BY_DIALECT)
    settings["files"] = None if files == _BY_DIALECT else files
    with errors.at("files"):
        check_place(settings["files"])
    with errors.at("file_url_seconds"):
        settings["file_url_seconds"] = _parse_seconds(form.get("file_url_seconds", ""))
    return settings


async def show(request: PortalRequest) -> web.Response:
    """Show the form with the current settings."""
    repository = await request.repository()
    return request.render(
        "repository_settings.html",
        form=_form_of(repository.document),
        **_context(request, repository),
    )


async def save(request: PortalRequest) -> web.Response:
    """Save the settings, which then apply to the next request."""
    repository = await request.repository()
    errors = FormErrors()
    settings = read_settings(request.form, errors)
    if not errors:
        with errors.at(""):
            await request.organization.update_repository(repository.name, **settings)
    if errors:
        context = _context(request, repository)
        return request.render("repository_settings.html", errors=errors, **context)
    request.add_notice("The settings were saved. They apply from the next request on.")
    return request.redirect(repository_path(repository.name, "settings"))


def _context(request: PortalRequest, repository: Repository) -> dict[str, Any]:
    testkit, repository_id = request.organization.testkit, repository.document.id
    shared = request.organization.shared
    return {
        "repository": repository,
        "public_url": repository_url(request.http, repository, below=PUBLIC),
        "choices": setting_choices(),
        "shared": shared,
        "fault_count": 0 if shared else len(testkit.faults(repository_id).all()),
        "impersonation_count": 0 if shared else len(testkit.impersonations.of(repository_id)),
        "current_tab": "settings",
    }


def _form_of(document: RepositoryDocument) -> dict[str, str]:
    form = {
        "dialect": document.dialect,
        "rules": document.rules or _BY_DIALECT,
        "public": "yes" if document.public else "no",
        "files": document.files or _BY_DIALECT,
        "file_url_seconds": f"{document.file_url_seconds:.15g}",
        **access_form(document),
    }
    if document.overwrite_protection:
        form["overwrite_protection"] = "on"
    if document.max_file_size is not None:
        # The largest unit that gives a whole number.
        unit = next(unit for unit in reversed(_UNITS) if document.max_file_size % _UNITS[unit] == 0)
        form |= {"max_file_size": str(document.max_file_size // _UNITS[unit]), "unit": unit}
    return form


def _parse_size(number: str, unit: str) -> int | None:
    number = number.strip()
    if not number:
        return None
    if not (number.isascii() and number.isdigit()) or len(number) > _MAX_SIZE_DIGITS:
        raise InvalidError(
            f"Invalid maximum file size {number[:32]!r}: enter a whole number, or leave the field "
            "empty for no limit."
        )
    if unit not in _UNITS:
        raise InvalidError(f"Unknown unit {unit[:32]!r}: use one of {', '.join(_UNITS)}.")
    return int(number) * _UNITS[unit]


def _parse_seconds(number: str) -> float:
    number = number.strip()
    if not number:
        return _DEFAULT_URL_SECONDS
    try:
        seconds = float(number)
    except ValueError:
        raise InvalidError(
            f"Invalid lifetime of signed URLs {number[:32]!r}: enter a number of seconds."
        ) from None
    check_file_url_seconds(seconds)
    return seconds


ROUTES = (
    Route("GET", REPOSITORY + "/settings", show),
    Route("POST", REPOSITORY + "/settings", save),
)
