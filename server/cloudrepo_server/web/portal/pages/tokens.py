"""Tokens, each for one repository: list, create and revoke."""

from aiohttp import web

from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.web.portal.forms import is_checked
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import TOKENS
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route


async def show_list(request: PortalRequest) -> web.Response:
    """Show the tokens, and the form for a new one."""
    return await _render(request)


async def create(request: PortalRequest) -> web.Response:
    """Create a token, and show it on the next page only."""
    try:
        repository = await request.organization.repository(request.form.get("repository", ""))
    except NotFoundError as error:
        return await _render(request, error)
    _, token = await request.organization.tokens.create(
        repository.document, read_only=is_checked(request.form, "read_only")
    )
    request.add_notice(
        f"A token for the repository {repository.name} was created. "
        "Copy it now: it is not shown again.",
        secret=token,
    )
    return request.redirect(TOKENS)


async def revoke(request: PortalRequest) -> web.Response:
    """Delete a token, so that the next request with it is rejected with status 401."""
    await request.organization.tokens.delete(request.path_parameters["token"])
    request.add_notice(f"The token {request.path_parameters['token']} was revoked.")
    return request.redirect(TOKENS)


async def _render(request: PortalRequest, error: NotFoundError | None = None) -> web.Response:
    newest_first = sorted(
        await request.organization.tokens.all(), key=lambda token: token.created, reverse=True
    )
    repositories = await request.organization.repositories()
    return request.render(
        "tokens.html",
        status=200 if error is None else 404,
        error=None if error is None else str(error),
        pagination=paginate(newest_first, request.query),
        repositories=[each.name for each in repositories],
        selected=request.form.get("repository") or request.query.get("repository", ""),
    )


ROUTES = (
    Route("GET", TOKENS, show_list),
    Route("POST", TOKENS, create),
    Route("POST", TOKENS + "/{token}/revoke", revoke),
)
