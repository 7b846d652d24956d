"""The trusted publishers of a repository: list, add and remove."""

from aiohttp import web

from cloudrepo_server.domain.trusted_publishers import describe
from cloudrepo_server.specs.filenames import check_project_name
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_PUBLISHERS = REPOSITORY + "/publishers"


async def show_list(request: PortalRequest) -> web.Response:
    """Show the trusted publishers, and the form for a new one."""
    return await _render(request)


async def add(request: PortalRequest) -> web.Response:
    """Register a trusted publisher."""
    # Imported here because few portals need it.
    from cloudrepo_server.specs.identity_providers.specification import parse_publisher

    repository = await request.repository()
    project = request.form.get("project", "").strip() or None
    errors = FormErrors()
    with errors.at("publisher"):
        provider, fields = parse_publisher(request.form.get("publisher", "").strip())
    with errors.at("project"):
        if project is not None:
            check_project_name(project)
    if not errors:
        with errors.at("publisher"):
            publisher = await request.organization.publishers.add(
                repository, provider, fields, project=project
            )
    if errors:
        return await _render(request, errors)
    request.add_notice(f"The trusted publisher {describe(publisher)} was added.")
    return request.redirect(repository_path(repository.name, "publishers"))


async def remove(request: PortalRequest) -> web.Response:
    """Remove a trusted publisher, whose jobs get no tokens from the next request on."""
    repository = await request.repository()
    await request.organization.publishers.remove(repository, request.path_parameters["publisher"])
    request.add_notice("The trusted publisher was removed.")
    return request.redirect(repository_path(repository.name, "publishers"))


async def _render(request: PortalRequest, errors: FormErrors | None = None) -> web.Response:
    repository = await request.repository()
    publishers = [(describe(each), each) for each in repository.document.publishers]
    return request.render(
        "publishers.html",
        errors=errors,
        repository=repository,
        pagination=paginate(publishers, request.query),
        current_tab="settings",
    )


ROUTES = (
    Route("GET", _PUBLISHERS, show_list),
    Route("POST", _PUBLISHERS, add),
    Route("POST", _PUBLISHERS + "/{publisher}/remove", remove),
)
