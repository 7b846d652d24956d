"""The page of a project, with its releases and files."""

from aiohttp import web

from cloudrepo_server.domain.project_status import (
    STATUSES,
    check_reason,
    check_status_marker,
)
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.specs.dialect import STATUS
from cloudrepo_server.specs.release_details import ReleaseDetails
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import PROJECT, project_path
from cloudrepo_server.web.portal.plot import read_activity
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.readme import Readme
from cloudrepo_server.web.portal.release_description import own_dependencies, read_description
from cloudrepo_server.web.portal.releases import Release, releases_of

_RELEASES_ON_PAGE = 25
_FILES_IN_LIST = 5
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
    errors = FormErrors()
    with errors.at("status"):
        check_status_marker(status)
    with errors.at("reason"):
        check_reason(reason)
    if errors:
        return await _render(request, errors)
    await repository.set_status(name, status, reason)
    request.add_notice(f"The project {name} is now {status}.")
    return request.redirect(project_path(repository.name, name))


async def _render(request: PortalRequest, errors: FormErrors | None = None) -> web.Response:
    repository = await request.repository()
    project = await request.project(repository)
    order = await request.release_orders.of(repository, project)
    pagination = paginate(order.versions, request.query, page_size=_RELEASES_ON_PAGE)
    versions = {*pagination.items, order.latest} if order.latest else pagination.items
    releases = {release.version: release for release in releases_of(project, versions)}
    details, readme = await _description(request, repository, releases.get(order.latest))
    return request.render(
        "project.html",
        errors=errors,
        form=request.form
        if errors
        else {"status": project.status, "reason": project.status_reason or ""},
        has_statuses=STATUS in repository.dialect.attributes,
        repository=repository,
        project=project,
        latest_version=order.latest,
        releases=[releases[version] for version in pagination.items],
        max_files=_FILES_IN_LIST,
        pagination=pagination,
        release_count=len(order.versions),
        has_yanked_files=any(file.yanked is not None for file in project.files.values()),
        has_other_files=any(file.yanked is None for file in project.files.values()),
        readme=readme,
        details=details,
        projects=await own_dependencies(repository, details),
        statuses={name: _STATUS_DESCRIPTIONS[name] for name in STATUSES},
        activity=await read_activity(
            request.organization.activity, repository.document.id, project=project.name
        ),
        current_tab="projects",
    )


async def _description(
    request: PortalRequest, repository: Repository, release: Release | None
) -> tuple[ReleaseDetails, Readme | None]:
    file = None if release is None else release.described_by
    try:
        return await read_description(request, repository, file)
    except FileNotFoundError:
        # An upload replaced the file after its project was read.
        return ReleaseDetails(), None


ROUTES = (
    Route("GET", PROJECT, show),
    Route("POST", PROJECT + "/status", set_status),
)
