"""The routes of the portal, without a running server."""

from __future__ import annotations

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.storage.local import LocalStorage
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.impersonation.proxy import Proxy
from cloudrepo_server.web.portal.portal_request import Route
from cloudrepo_server.web.portal.router import PortalRouter


def portal_routes() -> list[Route]:
    """Return every route of the portal."""
    organization = Organization(
        "example", LocalStorage.in_memory(), admin_username="admin", admin_password="secret"
    )
    return PortalRouter(organization, Proxy(organization), InFlightRequests()).routes
