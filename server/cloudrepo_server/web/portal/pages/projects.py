"""The page of a project, with its releases and files."""

from aiohttp import web

from cloudrepo_server.domain.repository import STATUSES, Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.specs.versions import latest_version
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.plot import read_activity
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.releases import (
    distribution_type,
    files_newest_first,
    group_by_release,
)

_PROJECT = REPOSITORY + "/projects/{project}"
_STATUS_DESCRIPTIONS = {
    "active": "Accepts uploads, and installers can use its files.",
    "archived": "Rejects uploads, but installers can use its files.",
    "quarantined": "Rejects uploads, and hides its files from installers.",
    "deprecated": "Accepts uploads, and installers can use its files. "
    "Users should switch to another project.",
}


async def show(request: PortalRequest) -> web.Response:
    """Show a project."""
    return await _render(request)


async def set_status(request: PortalRequest) -> web.Response:
    """Set a project's status marker (PEP 792)."""
    repository = await request.repository()
    name = request.path_parameters["project"]
    status = request.form.get("status", "")
    reason = request.form.get("reason", "").strip() or None
    try:
        await repository.set_status(name, status, reason)
    except InvalidError as error:
        return await _render(request, error)
    request.add_notice(f"The project {name} is now {status}.")
    return request.redirect(repository_path(repository.name, "projects", name))


async def _render(request: PortalRequest, error: InvalidError | None = None) -> web.Response:
    repository = await request.repository()
    project = await _project(request, repository)
    pagination = paginate(files_newest_first(project), request.query)
    return request.render(
        "project.html",
        status=200 if error is None else 400,
        error=None if error is None else str(error),
        repository=repository,
        project=project,
        latest_version=latest_version(project),
        releases=group_by_release(pagination.items),
        pagination=pagination,
        distribution_type=distribution_type,
        readme=await request.readmes.load(repository, project),
        statuses={name: _STATUS_DESCRIPTIONS[name] for name in STATUSES},
        activity=await read_activity(
            request.organization.activity, repository.document.id, project.name
        ),
        current_tab="projects",
    )


async def _project(request: PortalRequest, repository: Repository) -> ProjectDocument:
    name = request.path_parameters["project"]
    project = await repository.project(name)
    if project is None:
        raise repository.project_not_found(name)
    return project


ROUTES = (
    Route("GET", _PROJECT, show),
    Route("POST", _PROJECT + "/status", set_status),
)
