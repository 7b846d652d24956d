"""The Admin Portal, for browsers. The modules that render it are imported when they are needed."""

import importlib
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.pools import IMPORTS
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.urls import prefix_of
from cloudrepo_server.web.impersonation.proxy import Proxy
from cloudrepo_server.web.index.browsers import is_page_load
from cloudrepo_server.web.index.resolve import resolved
from cloudrepo_server.web.portal.preparation import Preparation

if TYPE_CHECKING:
    from cloudrepo_server.web.portal.router import PortalRouter

HOME = "/portal/"


class Portal:
    """The handlers of `/`, `/portal/` and everything below it, and the pages for the public."""

    def __init__(
        self,
        organization: Organization,
        proxy: Proxy,
        in_flight: InFlightRequests,
        *,
        prepare: bool,
    ) -> None:
        """Create the portal.

        Args:
            organization: the organization to show.
            proxy: the proxy whose impersonations the portal shows.
            in_flight: the requests in flight.
            prepare: whether to import the portal while the server is idle. Otherwise it is
                imported with its first page.
        """
        self.preparation = Preparation(organization, in_flight, self._load, in_advance=prepare)
        self._organization = organization
        self._proxy = proxy
        self._in_flight = in_flight
        self._router: PortalRouter | None = None

    async def redirect_home(self, request: web.Request) -> web.Response:
        """Redirect to the portal's first page."""
        return web.Response(status=302, headers={"Location": prefix_of(request) + HOME})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Return a page or an asset, or process a form."""
        self.preparation.portal_opened()
        return await (await self._load()).handle(request)

    async def show_public_pages(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Show the pages of public repositories to browsers. This is a middleware.

        Every other client gets the simple API, with exactly the same responses as without this
        middleware. So do browsers at impersonated hosts.
        """
        state = state_of(request)
        path, repository = resolved(state)
        if (
            repository is None
            or not repository.document.public
            or state.impersonated_path is not None
            or not path.names_page
            or not is_page_load(request)
        ):
            return await handler(request)
        pages = (await self._load()).public_pages
        try:
            return await pages.show(request, repository, path) or await handler(request)
        except NotFoundError as error:
            return pages.not_found(request, repository, error)

    async def _load(self) -> "PortalRouter":
        if self._router is None:
            # Importing the template engine takes a while. In a thread it blocks no other request.
            module = await IMPORTS.run(importlib.import_module, f"{__name__}.router")
            if self._router is None:
                self._router = module.PortalRouter(self._organization, self._proxy, self._in_flight)
        return self._router
