"""A repository's projects, and a project with its releases and files."""

from dataclasses import dataclass

from aiohttp import web

from cloudrepo_server.domain.repository import STATUSES, Repository
from cloudrepo_server.errors import InvalidError, NotFoundError
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.web.portal.paging import matching, paginate
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.readme import read_readme
from cloudrepo_server.web.portal.releases import (
    by_release,
    kind_of,
    last_upload,
    latest_version,
    newest_first,
)

_PROJECT = REPOSITORY + "/projects/{project}"
_STATUS_MEANINGS = {
    "active": "Takes files and offers them.",
    "archived": "Offers its files and takes no more.",
    "quarantined": "Offers no files and takes none.",
    "deprecated": "Takes files and offers them, but should not be used any more.",
}


@dataclass(frozen=True, slots=True)
class _Row:
    project: ProjectDocument
    latest: str | None
    last_upload: str | None


async def show(request: PortalRequest) -> web.Response:
    """The projects."""
    repository = await request.repository()
    names = await repository.project_names()
    wanted = request.query.get("q", "")
    paging = paginate(matching(names, wanted), request.query, keep=["q"])
    found = [await repository.project(name) for name in paging.items]
    return request.render(
        "repository.html",
        repository=repository,
        url=request.repository_url(repository),
        rows=[
            _Row(project, latest_version(project), last_upload(project))
            for project in found
            if project is not None
        ],
        paging=paging,
        wanted=wanted,
        projects=len(names),
        current="projects",
    )


async def show_project(request: PortalRequest) -> web.Response:
    """A project."""
    return await _project_page(request)


async def set_status(request: PortalRequest) -> web.Response:
    """A project's status marker (PEP 792)."""
    repository = await request.repository()
    name = request.path_parameters["project"]
    status = request.form.get("status", "")
    try:
        await repository.set_status(name, status, request.form.get("reason", "").strip() or None)
    except InvalidError as error:
        return await _project_page(request, error)
    request.add_notice(f"The project {name} is now {status}.")
    return request.redirect(repository_path(repository.name, "projects", name))


async def _project_page(request: PortalRequest, error: InvalidError | None = None) -> web.Response:
    repository = await request.repository()
    project = await _project(request, repository)
    paging = paginate(newest_first(project), request.query)
    return request.render(
        "project.html",
        status=200 if error is None else 400,
        error=None if error is None else str(error),
        repository=repository,
        project=project,
        latest=latest_version(project),
        releases=by_release(paging.items),
        paging=paging,
        kind_of=kind_of,
        readme=await read_readme(repository, project),
        statuses={name: _STATUS_MEANINGS[name] for name in STATUSES},
        current="projects",
    )


async def _project(request: PortalRequest, repository: Repository) -> ProjectDocument:
    name = request.path_parameters["project"]
    project = await repository.project(name)
    if project is None:
        raise NotFoundError(f"There is no project {name} in the repository {repository.name}.")
    return project


ROUTES = (
    Route("GET", REPOSITORY, show),
    Route("GET", _PROJECT, show_project),
    Route("POST", _PROJECT + "/status", set_status),
)
