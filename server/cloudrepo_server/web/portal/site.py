"""The portal's routes, in one place, and what every answer passes through."""

import secrets

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import CloudRepoServerError
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import status_of
from cloudrepo_server.web.portal import (
    activity,
    connection,
    files,
    projects,
    repositories,
    settings,
    sign_in,
    tokens,
    upload,
    users,
)
from cloudrepo_server.web.portal.assets import ASSET, read_asset
from cloudrepo_server.web.portal.cookies import Cookies
from cloudrepo_server.web.portal.forms import TOKEN_FIELD, read_fields, require_own_origin
from cloudrepo_server.web.portal.rendering import Templates
from cloudrepo_server.web.portal.sign_in import way_to_sign_in
from cloudrepo_server.web.portal.throttle import Throttle
from cloudrepo_server.web.portal.visit import Route, Visit

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # A form's Origin would be "null" with less.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_UNCACHED = {"Cache-Control": "no-store"}
_CACHED = {"Cache-Control": "public, max-age=31536000, immutable"}
_VISIT = "visit"


class Site:
    """The portal of an organization."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._cookies: Cookies | None = None
        self._throttle = Throttle()
        self._templates = Templates()
        self.routes: list[Route] = []
        self._router = web.UrlDispatcher()
        for module in (
            activity,
            connection,
            files,
            projects,
            repositories,
            settings,
            sign_in,
            tokens,
            upload,
            users,
        ):
            for route in module.ROUTES:
                self._add(route)
        self._add(Route("GET", ASSET, _show_asset, open=True))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A page, a file, or what a form did."""
        sessions = self._organization.sessions
        if self._cookies is None:
            self._cookies = Cookies(await sessions.key(), shared=self._organization.shared)
        identity = self._cookies.identity(request)
        visit = request[_VISIT] = Visit(
            request=request,
            organization=self._organization,
            cookies=self._cookies,
            throttle=self._throttle,
            templates=self._templates,
            identity=identity or secrets.token_urlsafe(24),
            username=None,
        )
        try:
            if identity is not None:
                visit.username = await sessions.username(identity)
            if visit.username is not None:
                state_of(request).user = visit.username
            match = await self._router.resolve(request)
            if match.http_exception is not None:
                raise match.http_exception
            visit.below = dict(match)
            response = await match.handler(request)
        except CloudRepoServerError as error:
            response = visit.page("refusal.html", status=status_of(error), message=str(error))
        except web.HTTPException as error:
            response = visit.page("refusal.html", status=error.status, message=f"{error.reason}.")
            response.headers.update(
                {name: value for name, value in error.headers.items() if name == "Allow"}
            )
        if not response.prepared:
            response.headers.update(_HEADERS)
            if "Cache-Control" not in response.headers:
                response.headers.update(_UNCACHED)
        return response

    def _add(self, route: Route) -> None:
        self.routes.append(route)

        async def answer(request: web.Request) -> web.StreamResponse:
            visit: Visit = request[_VISIT]
            if request.method == "POST":
                require_own_origin(request)
            if visit.username is None and not route.open:
                return way_to_sign_in(visit)
            if request.method == "POST" and not route.has_files:
                visit.form = await read_fields(request)
                visit.require_token(visit.form.get(TOKEN_FIELD))
            return await route.handler(visit)

        if route.method == "GET":
            self._router.add_get(route.path, answer)
        else:
            self._router.add_route(route.method, route.path, answer)


async def _show_asset(visit: Visit) -> web.Response:
    body, content_type = read_asset(visit.below["digest"], visit.below["name"])
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_CACHED)
