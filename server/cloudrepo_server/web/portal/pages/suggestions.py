"""Type-ahead: the names of users, tokens and repositories that contain a text."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.limits import MAX_SUGGESTIONS
from cloudrepo_server.web.portal.paging import search_names
from cloudrepo_server.web.portal.paths import SUGGESTIONS
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route


async def show(request: PortalRequest) -> web.Response:
    """Return the names that contain the text of the query, at most a fixed number, as JSON."""
    names = await _NAMES[request.path_parameters["kind"]](request.organization)
    found = search_names(names, request.query.get("q", ""))
    content = {"suggestions": found[:MAX_SUGGESTIONS], "more": len(found) > MAX_SUGGESTIONS}
    return web.Response(body=msgspec.json.encode(content), content_type="application/json")


async def _users(organization: Organization) -> list[str]:
    return [user.email for user in await organization.users.all()]


async def _repositories(organization: Organization) -> list[str]:
    return [repository.name for repository in await organization.repositories()]


async def _tokens(organization: Organization) -> list[str]:
    tokens = await organization.tokens.all()
    return sorted({name for token in tokens for name in (token.id, token.name) if name})


_NAMES: Mapping[str, Callable[[Organization], Awaitable[list[str]]]] = {
    "users": _users,
    "repositories": _repositories,
    "tokens": _tokens,
}
ROUTES = (Route("GET", SUGGESTIONS + "/{kind:users|repositories|tokens}", show),)
