"""The repositories of the organization: list, create, delete."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import ConflictError, InvalidError
from cloudrepo_server.web.portal.pages.activity import latest_uploads
from cloudrepo_server.web.portal.pages.repository_settings import choices, read_settings
from cloudrepo_server.web.portal.paging import matching, paginate
from cloudrepo_server.web.portal.paths import (
    CREATE_REPOSITORY,
    HOME,
    REPOSITORY,
    repository_path,
)
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_UPLOADS = 5


@dataclass(frozen=True, slots=True)
class _Row:
    repository: Repository
    projects: int


async def show(request: PortalRequest) -> web.Response:
    """The list, and what was uploaded a moment ago."""
    found = {each.name: each for each in await request.organization.repositories()}
    wanted = request.query.get("q", "")
    paging = paginate(matching(list(found), wanted), request.query, keep=["q"])
    # Where several servers share a store, it is asked for each.
    names = await asyncio.gather(*(found[name].project_names() for name in paging.items))
    rows = [
        _Row(found[name], len(projects)) for name, projects in zip(paging.items, names, strict=True)
    ]
    return request.render(
        "repositories.html",
        rows=rows,
        paging=paging,
        wanted=wanted,
        repositories=len(found),
        users=len(await request.organization.users.all()),
        shared=request.organization.shared,
        uploads=latest_uploads(request.organization, found.values(), _UPLOADS),
    )


async def show_create(request: PortalRequest) -> web.Response:
    """The form for a new one."""
    return request.render(
        "create_repository.html", error=None, form=request.form, choices=choices()
    )


async def create(request: PortalRequest) -> web.Response:
    """A new, empty repository."""
    name = request.form.get("name", "").strip()
    try:
        repository = await request.organization.create_repository(
            name, **read_settings(request.form)
        )
    except (InvalidError, ConflictError) as error:
        return request.render_form_error("create_repository.html", error, choices=choices())
    request.add_notice(f"The repository {repository.name} was created.")
    return request.redirect(repository_path(repository.name))


async def show_delete(request: PortalRequest) -> web.Response:
    """The question whether to."""
    return await _question(request)


async def delete(request: PortalRequest) -> web.Response:
    """A repository, deleted with all that is in it, once its name was typed."""
    name = request.path_parameters["repository"]
    if request.form.get("name", "").strip() != name:
        return await _question(request, f"Type {name} to delete it: the name did not match.")
    await request.organization.delete_repository(name)
    request.add_notice(f"The repository {name} was deleted.")
    return request.redirect(HOME)


async def _question(request: PortalRequest, error: str | None = None) -> web.Response:
    repository = await request.repository()
    return request.render(
        "delete_repository.html",
        status=200 if error is None else 400,
        repository=repository,
        projects=len(await repository.project_names()),
        error=error,
        current="settings",
    )


ROUTES = (
    Route("GET", HOME, show),
    Route("GET", CREATE_REPOSITORY, show_create),
    Route("POST", CREATE_REPOSITORY, create),
    Route("GET", REPOSITORY + "/delete", show_delete),
    Route("POST", REPOSITORY + "/delete", delete),
)
