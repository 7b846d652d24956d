"""Requests that came through the proxy: what they mean here."""

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from cloudrepo_server.domain.access import Principal, TokenBearer
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import ForbiddenError, NotFoundError
from cloudrepo_server.web.http.paths import PRIVATE, PUBLIC
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.impersonation.proxy import Proxy, Tunnel
from cloudrepo_server.web.impersonation.pypi_json import (
    project_json_response,
    read_project_json_path,
)

_READS = ("GET", "HEAD")


class ImpersonationHandler(msgspec.Struct, frozen=True):
    """Answers for the hosts that repositories stand for."""

    organization: Organization
    handle_private: Handler
    handle_public: Handler

    async def handle(self, request: web.Request, tunnel: Tunnel) -> web.StreamResponse:
        """The answer of the repository that the URL belongs to.

        Raises:
            ForbiddenError: the test's programs may not reach that host.
            NotFoundError: the repository has nothing at that URL.
        """
        who = tunnel.impersonation
        where = tunnel.scheme, tunnel.host, tunnel.port
        path = request.rel_url.raw_path
        if not who.covers(*where):
            url = f"{tunnel.scheme}://{tunnel.host}{path}"
            entry = self.organization.testkit.record_blocked_request(
                who.repository_id, request.method, url
            )
            entry.user_agent = request.headers.get("User-Agent", "")
            raise ForbiddenError(entry.reason)
        anybody = who.allows_anonymous_reads(*where)
        if anybody and "Authorization" not in request.headers and request.method in _READS:
            state_of(request).principal = _reader(tunnel)
        wanted = read_project_json_path(path) if anybody and request.method in _READS else None
        if wanted is not None:
            repository = await self.organization.repository(who.repository)
            origin = str(URL.build(scheme=tunnel.scheme, host=tunnel.host, port=tunnel.port))
            return await project_json_response(repository, *wanted, origin=origin)
        for base, handle in ((PRIVATE, self.handle_private), (PUBLIC, self.handle_public)):
            own = f"{base}/{who.repository}"
            if path == own or path.startswith(own + "/"):
                return await handle(request)
        below = who.relative_path(*where, path)
        if below is None:
            raise NotFoundError(f"{tunnel.host} has nothing at {path[:200]}.")
        state_of(request).impersonated_path = f"{PRIVATE}/{who.repository}{below}"
        return await self.handle_private(request)


def serve_impersonated_hosts(proxy: Proxy, impersonated: ImpersonationHandler) -> Middleware:
    """Return the middleware that handles the requests which came through the proxy."""

    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        tunnel = proxy.tunnel(request)
        if tunnel is None:
            return await handler(request)
        return await impersonated.handle(request, tunnel)

    return serve


def _reader(tunnel: Tunnel) -> Principal:
    return TokenBearer("", tunnel.impersonation.repository_id, read_only=True)
