"""The organization's repositories: list, create and delete."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from cloudrepo_server.domain.catalogue import Totals
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.web.portal import HOME
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.pages.repository_settings import read_settings, setting_choices
from cloudrepo_server.web.portal.pages.requests import latest_uploads
from cloudrepo_server.web.portal.paging import search_names
from cloudrepo_server.web.portal.paths import CREATE_REPOSITORY, REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.sorting import Column, read_sorting

_UPLOADS_SHOWN = 5
_COLUMNS = (
    Column("name", "Repository"),
    Column("projects", "Projects", largest_first=True, is_number=True),
    Column("files", "Files", largest_first=True, is_number=True),
    Column("size", "Size", largest_first=True, is_number=True),
    Column("upload", "Last upload", largest_first=True, is_number=True),
)


@dataclass(frozen=True, slots=True)
class _Row:
    repository: Repository
    totals: Totals


_SORT_KEYS: Mapping[str, Callable[[_Row], Any]] = {
    "name": lambda row: row.repository.name,
    "projects": lambda row: row.totals.projects,
    "files": lambda row: row.totals.files,
    "size": lambda row: row.totals.size,
    "upload": lambda row: row.totals.last_upload,
}


async def show_list(request: PortalRequest) -> web.Response:
    """Show the repositories and the latest uploads."""
    organization = request.organization
    repositories = {each.name: each for each in await organization.repositories()}
    documents = [each.document for each in repositories.values()]
    organization.catalogue.keep_only(document.id for document in documents)
    summaries = await organization.catalogue.read(documents)
    search = request.query.get("q", "")
    sorting = read_sorting(_COLUMNS, request.query, keep=["q"])
    matching = [
        _Row(repositories[name], summaries[repositories[name].document.id].totals)
        for name in search_names(list(repositories), search)
    ]
    pagination = sorting.paginate(sorting.sort(matching, _SORT_KEYS), request.query)
    return request.render(
        "repositories.html",
        rows=pagination.items,
        pagination=pagination,
        sorting=sorting,
        search=search,
        repository_count=len(repositories),
        totals=sum((summary.totals for summary in summaries.values()), Totals()),
        unread_count=sum(len(summary.unread) for summary in summaries.values()),
        user_count=len(await organization.users.all()),
        shared=organization.shared,
        uploads=latest_uploads(organization, repositories.values(), _UPLOADS_SHOWN),
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
