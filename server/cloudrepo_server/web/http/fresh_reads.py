"""Makes each request see what other servers of the same store wrote before it arrived."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.domain.organization import Organization


def require_fresh_reads(organization: Organization) -> Middleware:
    """Return the middleware that makes each request read data that is current at its arrival."""

    @web.middleware
    async def require_fresh(request: web.Request, handler: Handler) -> web.StreamResponse:
        organization.require_fresh()
        return await handler(request)

    return require_fresh
