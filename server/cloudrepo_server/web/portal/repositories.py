"""The repositories of the organization: list, create, delete."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import ConflictError, InvalidError
from cloudrepo_server.web.portal.activity import latest_uploads
from cloudrepo_server.web.portal.paging import matching, paginate
from cloudrepo_server.web.portal.paths import (
    CREATE_REPOSITORY,
    HOME,
    REPOSITORY,
    repository_path,
)
from cloudrepo_server.web.portal.settings import choices, read_settings
from cloudrepo_server.web.portal.visit import Route, Visit

_UPLOADS = 5


@dataclass(frozen=True, slots=True)
class _Row:
    repository: Repository
    projects: int


async def show(visit: Visit) -> web.Response:
    """The list, and what was uploaded a moment ago."""
    found = {each.name: each for each in await visit.organization.repositories()}
    wanted = visit.query.get("q", "")
    paging = paginate(matching(list(found), wanted), visit.query, keep=["q"])
    # Where several servers share a store, it is asked for each.
    names = await asyncio.gather(*(found[name].project_names() for name in paging.items))
    rows = [
        _Row(found[name], len(projects)) for name, projects in zip(paging.items, names, strict=True)
    ]
    return visit.page(
        "repositories.html",
        rows=rows,
        paging=paging,
        wanted=wanted,
        repositories=len(found),
        users=len(await visit.organization.users.all()),
        shared=visit.organization.shared,
        uploads=latest_uploads(visit.organization, found.values(), _UPLOADS),
    )


async def show_create(visit: Visit) -> web.Response:
    """The form for a new one."""
    return visit.page("create_repository.html", error=None, form=visit.form, choices=choices())


async def create(visit: Visit) -> web.Response:
    """A new, empty repository."""
    name = visit.form.get("name", "").strip()
    try:
        repository = await visit.organization.create_repository(name, **read_settings(visit.form))
    except (InvalidError, ConflictError) as error:
        return visit.refused("create_repository.html", error, choices=choices())
    visit.notify(f"The repository {repository.name} was created.")
    return visit.go(repository_path(repository.name))


async def show_delete(visit: Visit) -> web.Response:
    """The question whether to."""
    return await _question(visit)


async def delete(visit: Visit) -> web.Response:
    """A repository, deleted with all that is in it, once its name was typed."""
    name = visit.below["repository"]
    if visit.form.get("name", "").strip() != name:
        return await _question(visit, f"Type {name} to delete it: the name did not match.")
    await visit.organization.delete_repository(name)
    visit.notify(f"The repository {name} was deleted.")
    return visit.go(HOME)


async def _question(visit: Visit, error: str | None = None) -> web.Response:
    repository = await visit.repository()
    return visit.page(
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
