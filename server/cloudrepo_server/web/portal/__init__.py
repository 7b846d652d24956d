"""The Admin Portal, for a browser. The modules that render it are imported with its first page."""

import importlib
from typing import TYPE_CHECKING

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.pools import IMPORTS
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.http.urls import prefix_of
from cloudrepo_server.web.impersonation.proxy import Proxy

if TYPE_CHECKING:
    from cloudrepo_server.web.portal.router import PortalRouter

HOME = "/portal/"


class Portal:
    """The handlers of `/portal/` and everything below it, and of `/`, which redirects there."""

    def __init__(
        self, organization: Organization, proxy: Proxy, in_flight: InFlightRequests
    ) -> None:
        self._organization = organization
        self._proxy = proxy
        self._in_flight = in_flight
        self._router: PortalRouter | None = None

    async def redirect_home(self, request: web.Request) -> web.Response:
        """Redirect to the portal's first page."""
        return web.Response(status=302, headers={"Location": prefix_of(request) + HOME})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Return a page or an asset, or process a form."""
        if self._router is None:
            # Importing the template engine takes a while. In a thread it blocks no other request.
            module = await IMPORTS.run(importlib.import_module, f"{__name__}.router")
            if self._router is None:
                self._router = module.PortalRouter(self._organization, self._proxy, self._in_flight)
        return await self._router.handle(request)
