"""Requests that arrived through the proxy: served by the repository that impersonates the host."""

import re

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from cloudrepo_server.domain.access import TokenBearer
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import ForbiddenError, NotFoundError
from cloudrepo_server.logs.redaction import set_request_secrets
from cloudrepo_server.testkit.impersonation import Impersonation
from cloudrepo_server.web.http.authorization import secrets_of
from cloudrepo_server.web.http.masking import masked_headers
from cloudrepo_server.web.http.methods import READS
from cloudrepo_server.web.http.paths import FILES, PRIVATE, PUBLIC
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.user_agent import user_agent_of
from cloudrepo_server.web.impersonation.tunnel import Tunnel, tunnel_of
from cloudrepo_server.web.trust.handler import TrustHandler

# PyPI's JSON API is at the root of its host, whatever the URL that is impersonated.
_JSON_API = re.compile(r"/pypi/[^/]+(/[^/]+)?/json/?")


class ImpersonationHandler(msgspec.Struct, frozen=True):
    """The handler of requests to impersonated hosts."""

    organization: Organization
    handle_private: Handler
    handle_public: Handler
    handle_file: Handler
    trust: TrustHandler

    async def handle(self, request: web.Request, tunnel: Tunnel) -> web.StreamResponse:
        """Return the response of the repository that is served under the request's URL.

        Raises:
            ForbiddenError: the impersonation does not cover the host, or was deleted.
            NotFoundError: no repository is served under this URL.
        """
        impersonation = tunnel.impersonation
        header = request.headers.get("Authorization")
        set_request_secrets([*secrets_of(header), impersonation.secret])
        origin = tunnel.scheme, tunnel.host, tunnel.port
        path = request.rel_url.raw_path
        self._check_host(request, tunnel)
        state = state_of(request)
        state.impersonating_repository_id = impersonation.repository_id
        state.scheme = tunnel.scheme
        state.prefix = ""
        state.impersonated_index = impersonation.index_at(*origin)
        state.file_host_url = impersonation.file_host_url(*origin)
        base = URL.build(scheme=tunnel.scheme, host=tunnel.host, port=tunnel.port)
        trust_response = await self.trust.handle_impersonated(request, impersonation, base)
        if trust_response is not None:
            return trust_response
        is_file_host = impersonation.is_file_host(*origin)
        if request.method in READS and impersonation.is_public_index(*origin):
            # The host of PyPI's files ignores logins.
            is_file = is_file_host and state.impersonated_index is not None
            is_anonymous = "Authorization" not in request.headers
            if is_file or (is_anonymous and not impersonation.requires_login):
                state.principal = TokenBearer("", impersonation.repository_id, read_only=True)
            if _JSON_API.fullmatch(path):
                state.impersonated_path = f"{PRIVATE}/{impersonation.repository}{path}"
                return await self.handle_private(request)
        if is_file_host and _is_below(path, FILES, impersonation):
            return await self.handle_file(request)
        for prefix, handle in ((PRIVATE, self.handle_private), (PUBLIC, self.handle_public)):
            if _is_below(path, prefix, impersonation):
                return await handle(request)
        relative = impersonation.relative_path(*origin, path)
        if relative is None:
            raise NotFoundError(
                f"No repository is served at {path[:200]} of the impersonated host {tunnel.host}."
            )
        state.impersonated_path = f"{PRIVATE}/{impersonation.repository}{relative}"
        return await self.handle_private(request)

    def _check_host(self, request: web.Request, tunnel: Tunnel) -> None:
        impersonation = tunnel.impersonation
        if not self.organization.testkit.impersonations.is_active(impersonation):
            raise ForbiddenError(f"The impersonation of {tunnel.host} was deleted.")
        origin = tunnel.scheme, tunnel.host, tunnel.port
        is_file = impersonation.is_file_host(*origin) and _is_below(
            request.rel_url.raw_path, FILES, impersonation
        )
        if not is_file and not impersonation.covers(*origin):
            raise self._blocked(request, tunnel)

    def _blocked(self, request: web.Request, tunnel: Tunnel) -> ForbiddenError:
        host = f"[{tunnel.host}]" if ":" in tunnel.host else tunnel.host
        path = request.rel_url.raw_path
        entry = self.organization.testkit.record_blocked_request(
            tunnel.impersonation,
            request.method,
            f"{tunnel.scheme}://{host}{path if path.startswith('/') else f'/{path}'}",
            host=tunnel.host,
            user_agent=user_agent_of(request),
            headers=masked_headers(request),
        )
        return ForbiddenError(entry.reason)


def _is_below(path: str, mount: str, impersonation: Impersonation) -> bool:
    repository_path = f"{mount}/{impersonation.repository}"
    return path == repository_path or path.startswith(repository_path + "/")


def serve_impersonated_hosts(impersonated: ImpersonationHandler) -> Middleware:
    """Return the middleware that handles the requests which arrived through the proxy."""

    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        tunnel = tunnel_of(request)
        if tunnel is None:
            return await handler(request)
        return await impersonated.handle(request, tunnel)

    return serve
