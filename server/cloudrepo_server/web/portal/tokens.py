"""Tokens, each for one repository: list, create, revoke."""

from aiohttp import web

from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.web.portal.forms import is_checked
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import TOKENS
from cloudrepo_server.web.portal.visit import Route, Visit


async def show(visit: Visit) -> web.Response:
    """The list, and the form for a new one."""
    return await _page(visit)


async def create(visit: Visit) -> web.Response:
    """A new token, shown this once."""
    try:
        repository = await visit.organization.repository(visit.form.get("repository", ""))
    except NotFoundError as error:
        return await _page(visit, error)
    _, token = await visit.organization.tokens.create(
        repository.document, read_only=is_checked(visit.form, "read_only")
    )
    visit.notify(
        f"This is the token for the repository {repository.name}; it is shown only now:",
        secret=token,
    )
    return visit.go(TOKENS)


async def revoke(visit: Visit) -> web.Response:
    """A token deleted: its next request is answered 401."""
    await visit.organization.tokens.delete(visit.below["token"])
    visit.notify(f"The token {visit.below['token']} was revoked.")
    return visit.go(TOKENS)


async def _page(visit: Visit, error: NotFoundError | None = None) -> web.Response:
    found = sorted(
        await visit.organization.tokens.all(), key=lambda token: token.created, reverse=True
    )
    repositories = await visit.organization.repositories()
    return visit.page(
        "tokens.html",
        status=200 if error is None else 404,
        error=None if error is None else str(error),
        paging=paginate(found, visit.query),
        repositories=[each.name for each in repositories],
        chosen=visit.form.get("repository") or visit.query.get("repository", ""),
    )


ROUTES = (
    Route("GET", TOKENS, show),
    Route("POST", TOKENS, create),
    Route("POST", TOKENS + "/{token}/revoke", revoke),
)
