"""Repository Settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.specs.dialect import DIALECTS
from cloudrepo_server.web.http.paths import PUBLIC
from cloudrepo_server.web.http.urls import repository_url
from cloudrepo_server.web.portal.forms import is_checked
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_DIALECTS = {
    "modern": "What today's clients expect: hashes, metadata, JSON and yanks.",
    "cloudrepo": "What CloudRepo is known to answer: plain HTML pages, no hashes, any file.",
    "pypi": "What the public index answers: no file name is ever used twice.",
    "devpi": "What devpi answers: JSON of an older version and no metadata files.",
    "pypiserver": "What pypiserver answers: plain HTML pages, any file.",
    "gitlab": "What GitLab answers: HTML pages; a refused overwrite is 400.",
    "nexus": "What Nexus answers: HTML pages; a refused overwrite is 400.",
    "artifactory": "What Artifactory answers: HTML pages; a refused overwrite is 403.",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What the settings' form offers."""

    units: tuple[str, ...]
    dialects: Mapping[str, str]
    protecting: tuple[str, ...]


def choices() -> Choices:
    """What the settings' form offers."""
    return Choices(
        units=tuple(_UNITS),
        dialects={name: _DIALECTS[name] for name in DIALECTS},
        protecting=tuple(name for name, each in DIALECTS.items() if each.always_protected),
    )


def read_settings(form: Mapping[str, str]) -> dict[str, Any]:
    """The settings that a form says.

    Raises:
        InvalidError: the largest file's size is no number, or its unit is not known.
    """
    return {
        "overwrite_protection": is_checked(form, "overwrite_protection"),
        "public": form.get("public") == "yes",
        "dialect": form.get("dialect", "modern"),
        "max_file_size": _read_size(form.get("largest", ""), form.get("unit", "bytes")),
    }


async def show(request: PortalRequest) -> web.Response:
    """The form, as the settings are."""
    repository = await request.repository()
    return request.render(
        "settings.html",
        repository=repository,
        public_url=repository_url(request.http, repository, below=PUBLIC),
        error=None,
        form=_filled_in(repository.document),
        choices=choices(),
        current="settings",
    )


async def save(request: PortalRequest) -> web.Response:
    """The settings, from the next request on."""
    repository = await request.repository()
    try:
        await request.organization.update_repository(repository.name, **read_settings(request.form))
    except InvalidError as error:
        return request.render_form_error(
            "settings.html",
            error,
            repository=repository,
            public_url=repository_url(request.http, repository, below=PUBLIC),
            choices=choices(),
            current="settings",
        )
    request.add_notice("The settings were saved; they count from the next request on.")
    return request.redirect(repository_path(repository.name, "settings"))


def _filled_in(document: RepositoryDocument) -> dict[str, str]:
    form = {"dialect": document.dialect, "public": "yes" if document.public else "no"}
    if document.overwrite_protection:
        form["overwrite_protection"] = "on"
    if document.max_file_size is not None:
        unit = next(unit for unit in reversed(_UNITS) if document.max_file_size % _UNITS[unit] == 0)
        form |= {"largest": str(document.max_file_size // _UNITS[unit]), "unit": unit}
    return form


def _read_size(number: str, unit: str) -> int | None:
    number = number.strip()
    if not number:
        return None
    if not (number.isascii() and number.isdigit()) or len(number) > len(str(1 << 50)):
        raise InvalidError(f"The largest file is a whole number, not {number[:32]!r}.")
    if unit not in _UNITS:
        raise InvalidError(f"The unit is one of {', '.join(_UNITS)}, not {unit[:32]!r}.")
    return int(number) * _UNITS[unit]


ROUTES = (
    Route("GET", REPOSITORY + "/settings", show),
    Route("POST", REPOSITORY + "/settings", save),
)
