"""The organization's repositories: list, create and delete."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.web.portal import HOME
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.pages.repository_settings import read_settings, setting_choices
from cloudrepo_server.web.portal.pages.requests import latest_uploads
from cloudrepo_server.web.portal.paging import paginate, search_names
from cloudrepo_server.web.portal.paths import CREATE_REPOSITORY, REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_UPLOADS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Row:
    repository: Repository
    project_count: int


async def show_list(request: PortalRequest) -> web.Response:
    """Show the repositories and the latest uploads."""
    repositories = {each.name: each for each in await request.organization.repositories()}
    search = request.query.get("q", "")
    pagination = paginate(search_names(list(repositories), search), request.query, keep=["q"])
    # Concurrently, since each is a request to the store if several servers share it.
    projects = await asyncio.gather(
        *(repositories[name].project_names() for name in pagination.items)
    )
    rows = [
        _Row(repositories[name], len(names))
        for name, names in zip(pagination.items, projects, strict=True)
    ]
    return request.render(
        "repositories.html",
        rows=rows,
        pagination=pagination,
        search=search,
        repository_count=len(repositories),
        user_count=len(await request.organization.users.all()),
        shared=request.organization.shared,
        uploads=latest_uploads(request.organization, repositories.values(), _UPLOADS_SHOWN),
    )


async def show_create(request: PortalRequest) -> web.Response:
    """Show the form for a new repository."""
    return request.render("create_repository.html", choices=setting_choices())


async def create(request: PortalRequest) -> web.Response:
    """Create an empty repository."""
    name = request.form.get("name", "").strip()
    errors = FormErrors()
    with errors.at("name"):
        await request.organization.check_new_name(name)
    settings = read_settings(request.form, errors)
    if not errors:
        with errors.at("name"):
            repository = await request.organization.create_repository(name, **settings)
    if errors:
        choices = setting_choices()
        return request.render("create_repository.html", errors=errors, choices=choices)
    request.add_notice(f"The repository {repository.name} was created.")
    return request.redirect(repository_path(repository.name))


async def show_delete(request: PortalRequest) -> web.Response:
    """Show the confirmation page for deleting a repository."""
    return await _render_delete(request)


async def delete(request: PortalRequest) -> web.Response:
    """Delete a repository with everything in it, if its name was typed to confirm."""
    name = request.path_parameters["repository"]
    if request.form.get("name", "").strip() != name:
        errors = FormErrors()
        message = f"The name does not match. Type {name} to delete the repository."
        errors.add("name", InvalidError(message))
        return await _render_delete(request, errors)
    await request.organization.delete_repository(name)
    request.add_notice(f"The repository {name} was deleted.")
    return request.redirect(HOME)


async def _render_delete(request: PortalRequest, errors: FormErrors | None = None) -> web.Response:
    repository = await request.repository()
    return request.render(
        "delete_repository.html",
        errors=errors,
        repository=repository,
        project_count=len(await repository.project_names()),
        current_tab="settings",
    )


ROUTES = (
    Route("GET", HOME, show_list),
    Route("GET", CREATE_REPOSITORY, show_create),
    Route("POST", CREATE_REPOSITORY, create),
    Route("GET", REPOSITORY + "/delete", show_delete),
    Route("POST", REPOSITORY + "/delete", delete),
)
