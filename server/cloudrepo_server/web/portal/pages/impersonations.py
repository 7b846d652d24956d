"""The impersonations of a repository: list and remove."""

from aiohttp import web

from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_IMPERSONATIONS = REPOSITORY + "/impersonations"


async def show_list(request: PortalRequest) -> web.Response:
    """Show the impersonations, the newest first."""
    repository = await request.repository()
    impersonations = request.organization.testkit.impersonations.of(repository.document.id)
    return request.render(
        "impersonations.html",
        repository=repository,
        pagination=paginate(impersonations[::-1], request.query),
        current_tab="settings",
    )


async def remove(request: PortalRequest) -> web.Response:
    """Remove an impersonation, and close its connections."""
    repository = await request.repository()
    request.organization.testkit.impersonations.delete(
        repository.document.id, request.path_parameters["impersonation"]
    )
    request.add_notice("The impersonation was removed, and its connections were closed.")
    return request.redirect(repository_path(repository.name, "impersonations"))


ROUTES = (
    Route("GET", _IMPERSONATIONS, show_list),
    Route("POST", _IMPERSONATIONS + "/{impersonation}/remove", remove),
)
