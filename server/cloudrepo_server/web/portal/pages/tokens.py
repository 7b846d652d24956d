"""Tokens, each for one repository: list, create, revoke."""

from aiohttp import web

from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.web.portal.forms import is_checked
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import TOKENS
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route


async def show(request: PortalRequest) -> web.Response:
    """The list, and the form for a new one."""
    return await _page(request)


async def create(request: PortalRequest) -> web.Response:
    """A new token, shown this once."""
    try:
        repository = await request.organization.repository(request.form.get("repository", ""))
    except NotFoundError as error:
        return await _page(request, error)
    _, token = await request.organization.tokens.create(
        repository.document, read_only=is_checked(request.form, "read_only")
    )
    request.add_notice(
        f"This is the token for the repository {repository.name}; it is shown only now:",
        secret=token,
    )
    return request.redirect(TOKENS)


async def revoke(request: PortalRequest) -> web.Response:
    """A token deleted: its next request is answered 401."""
    await request.organization.tokens.delete(request.path_parameters["token"])
    request.add_notice(f"The token {request.path_parameters['token']} was revoked.")
    return request.redirect(TOKENS)


async def _page(request: PortalRequest, error: NotFoundError | None = None) -> web.Response:
    found = sorted(
        await request.organization.tokens.all(), key=lambda token: token.created, reverse=True
    )
    repositories = await request.organization.repositories()
    return request.render(
        "tokens.html",
        status=200 if error is None else 404,
        error=None if error is None else str(error),
        paging=paginate(found, request.query),
        repositories=[each.name for each in repositories],
        chosen=request.form.get("repository") or request.query.get("repository", ""),
    )


ROUTES = (
    Route("GET", TOKENS, show),
    Route("POST", TOKENS, create),
    Route("POST", TOKENS + "/{token}/revoke", revoke),
)
