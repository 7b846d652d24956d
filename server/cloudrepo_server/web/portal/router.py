"""The portal's routes, and what they share: sessions, form tokens, error pages, headers."""

import secrets
from collections.abc import Callable
from functools import partial

from aiohttp import web

from cloudrepo_server.domain.organization import Organization, is_repository_name
from cloudrepo_server.errors import (
    CloudRepoServerError,
    NotFoundError,
    RepositoryNotFoundError,
)
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import status_of
from cloudrepo_server.web.http.streamed_response import send_if_streamed
from cloudrepo_server.web.impersonation.proxy import Proxy
from cloudrepo_server.web.ops.recording import record_changes
from cloudrepo_server.web.portal.archives import Archives
from cloudrepo_server.web.portal.assets import ASSET, load_assets, read_asset
from cloudrepo_server.web.portal.cookies import Cookies
from cloudrepo_server.web.portal.forms import TOKEN_FIELD, read_fields
from cloudrepo_server.web.portal.log.live import LivePages
from cloudrepo_server.web.portal.pages import (
    archive_contents,
    audit,
    connection_settings,
    contents,
    damaged,
    differences,
    faults,
    files,
    impersonations,
    projects,
    publishers,
    releases,
    repositories,
    repository_settings,
    requests,
    search,
    sign_in,
    suggestions,
    tests,
    tokens,
    upload,
    upstreams,
    users,
    withdrawal,
)
from cloudrepo_server.web.portal.pages.sign_in import redirect_to_sign_in
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.public_pages import PublicPages
from cloudrepo_server.web.portal.readme import Readmes
from cloudrepo_server.web.portal.releases import ReleaseOrders
from cloudrepo_server.web.portal.rendering import Templates
from cloudrepo_server.web.portal.throttle import SignInThrottle

_PAGES = (
    archive_contents,
    audit,
    connection_settings,
    contents,
    damaged,
    differences,
    faults,
    files,
    impersonations,
    projects,
    publishers,
    releases,
    repositories,
    repository_settings,
    requests,
    search,
    sign_in,
    suggestions,
    tests,
    tokens,
    upload,
    upstreams,
    users,
    withdrawal,
)
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    # With a stricter policy, browsers would send `Origin: null` with the portal's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_MESSAGES = {
    404: "The portal has no page at this address.",
    405: "This address does not support the method of the request.",
}
"""The messages of the router's own errors, by their status."""
_DO_NOT_CACHE = {"Cache-Control": "no-store"}
_CACHE_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_PORTAL_REQUEST = web.RequestKey("portal_request", PortalRequest)


class PortalRouter:
    """The portal of one organization."""

    def __init__(
        self, organization: Organization, proxy: Proxy, in_flight: InFlightRequests
    ) -> None:
        self._organization = organization
        self._proxy = proxy
        self._live_pages = LivePages(in_flight)
        self._record = record_changes(organization.testkit)
        self._cookies: Cookies | None = None
        self._throttle = SignInThrottle()
        self._templates = Templates()
        self._readmes = Readmes(organization.readmes)
        self._archives = Archives()
        self._release_orders = ReleaseOrders()
        self.public_pages = PublicPages(
            organization, self._templates, self._readmes, self._release_orders
        )
        self.routes: list[Route] = []
        self._router = web.UrlDispatcher()
        for module in _PAGES:
            for route in module.ROUTES:
                self._add(route)
        self._add(Route("GET", ASSET, _show_asset, sign_in_required=False))

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """Return a page or an asset, or process a form; every error becomes an error page.

        Forms are recorded in the journal of changes.
        """
        return await self._record(http, self._handle)

    def preparations(self) -> list[Callable[[], None]]:
        """Return functions that prepare the first pages. A thread can call them."""
        templates = self._templates
        return [load_assets, *(partial(templates.compile, name) for name in templates.names)]

    async def load_cookies(self) -> Cookies:
        """Return the portal's cookies. The first call derives their key, which takes a while.

        Raises:
            StorageError: the store did not respond.
        """
        if self._cookies is None:
            key = await self._organization.portal_key()
            self._cookies = Cookies(key, shared=self._organization.shared)
        return self._cookies

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        sessions = self._organization.sessions
        cookies = await self.load_cookies()
        session_id = cookies.session_id(http)
        request = http[_PORTAL_REQUEST] = PortalRequest(
            http=http,
            organization=self._organization,
            proxy=self._proxy,
            cookies=cookies,
            throttle=self._throttle,
            templates=self._templates,
            readmes=self._readmes,
            archives=self._archives,
            release_orders=self._release_orders,
            live_pages=self._live_pages,
            session_id=session_id or secrets.token_urlsafe(24),
        )
        try:
            if session_id is not None:
                request.username = await sessions.username(session_id)
            if request.username is not None:
                state_of(http).details.user = request.username
            response = await self._respond(http, request)
        except CloudRepoServerError as error:
            message = str(error)
            response = _error_page(
                request,
                status_of(error),
                message,
                reason=message,
                repository=_repository_of(request, error),
            )
        except web.HTTPException as error:
            message = _MESSAGES.get(error.status, f"{error.reason}.")
            response = _error_page(request, error.status, message)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        if not response.prepared:
            response.headers.update(_SECURITY_HEADERS)
            if "Cache-Control" not in response.headers:
                response.headers.update(_DO_NOT_CACHE)
        return await send_if_streamed(http, response)

    async def _respond(self, http: web.Request, request: PortalRequest) -> web.StreamResponse:
        match = await self._router.resolve(http)
        if match.http_exception is not None:
            path = http.rel_url.raw_path.rstrip("/")
            if http.rel_url.raw_path != path and await self._has_page(http, path):
                query = http.rel_url.raw_query_string
                return request.redirect(f"{path}?{query}" if query else path)
            raise match.http_exception
        request.path_parameters = dict(match)
        name = match.get("repository", "")
        if is_repository_name(name):
            state_of(http).details.repository = name
        return await match.handler(http)

    async def _has_page(self, http: web.Request, path: str) -> bool:
        """Return whether the portal has a page at a path, which is encoded."""
        if http.method not in ("GET", "HEAD"):
            return False
        match = await self._router.resolve(http.clone(rel_url=path))
        return match.http_exception is None

    def _add(self, route: Route) -> None:
        self.routes.append(route)

        async def handler(http: web.Request) -> web.StreamResponse:
            request = http[_PORTAL_REQUEST]
            if request.username is None and route.sign_in_required:
                return redirect_to_sign_in(request)
            if http.method == "POST" and not route.multipart:
                request.form = await read_fields(http)
                request.require_form_token(request.form.get(TOKEN_FIELD))
            return await route.handler(request)

        if route.method == "GET":
            # Also adds HEAD.
            self._router.add_get(route.path, handler)
        else:
            self._router.add_route(route.method, route.path, handler)


def _error_page(
    request: PortalRequest,
    status: int,
    message: str,
    *,
    reason: str | None = None,
    repository: str | None = None,
) -> web.Response:
    return request.render(
        "error.html",
        status=status,
        reason=reason,
        code=status,
        message=message[:1].upper() + message[1:],
        repository=repository,
    )


def _repository_of(request: PortalRequest, error: CloudRepoServerError) -> str | None:
    """Return the name of the repository in which something was not found, or None."""
    if isinstance(error, NotFoundError) and not isinstance(error, RepositoryNotFoundError):
        return request.path_parameters.get("repository")
    return None


async def _show_asset(request: PortalRequest) -> web.Response:
    parameters = request.path_parameters
    content, content_type = read_asset(parameters["digest"], parameters["name"])
    return web.Response(
        body=content, content_type=content_type, charset="utf-8", headers=_CACHE_FOREVER
    )
