"""A repository's projects, and a project with its releases and files."""

from dataclasses import dataclass

from aiohttp import web

from cloudrepo_server.domain.repository import STATUSES, Repository
from cloudrepo_server.errors import InvalidError, NotFoundError
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.web.portal.paging import matching, paginate
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.readme import read_readme
from cloudrepo_server.web.portal.releases import (
    by_release,
    kind_of,
    last_upload,
    latest_version,
    newest_first,
)
from cloudrepo_server.web.portal.visit import Route, Visit

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


async def show(visit: Visit) -> web.Response:
    """The projects."""
    repository = await visit.repository()
    names = await repository.project_names()
    wanted = visit.query.get("q", "")
    paging = paginate(matching(names, wanted), visit.query, keep=["q"])
    found = [await repository.project(name) for name in paging.items]
    return visit.page(
        "repository.html",
        repository=repository,
        url=visit.url_of(repository),
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


async def show_project(visit: Visit) -> web.Response:
    """A project."""
    return await _project_page(visit)


async def set_status(visit: Visit) -> web.Response:
    """A project's status marker (PEP 792)."""
    repository = await visit.repository()
    name = visit.below["project"]
    status = visit.form.get("status", "")
    try:
        await repository.set_status(name, status, visit.form.get("reason", "").strip() or None)
    except InvalidError as error:
        return await _project_page(visit, error)
    visit.notify(f"The project {name} is now {status}.")
    return visit.go(repository_path(repository.name, "projects", name))


async def _project_page(visit: Visit, error: InvalidError | None = None) -> web.Response:
    repository = await visit.repository()
    project = await _project(visit, repository)
    paging = paginate(newest_first(project), visit.query)
    return visit.page(
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


async def _project(visit: Visit, repository: Repository) -> ProjectDocument:
    name = visit.below["project"]
    project = await repository.project(name)
    if project is None:
        raise NotFoundError(f"There is no project {name} in the repository {repository.name}.")
    return project


ROUTES = (
    Route("GET", REPOSITORY, show),
    Route("GET", _PROJECT, show_project),
    Route("POST", _PROJECT + "/status", set_status),
)
