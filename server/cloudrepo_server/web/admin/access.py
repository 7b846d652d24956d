"""Restricts the routes of the admin API to the admin user."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.web.http.authentication import authenticate
from cloudrepo_server.web.http.request_state import state_of


def require_admin(organization: Organization) -> Middleware:
    """Return the middleware that rejects requests without the admin user's credentials."""

    @web.middleware
    async def check_admin(request: web.Request, handler: Handler) -> web.StreamResponse:
        admin = organization.access.require_admin(await authenticate(request, organization))
        state_of(request).details.user = admin.name
        return await handler(request)

    return check_admin
