"""The admin API's operation that opens a listener for HTTPS."""

from aiohttp import web

from cloudrepo_server.web.admin import bodies
from cloudrepo_server.web.http.request_body import read_json
from cloudrepo_server.web.http.responses import json_response
from cloudrepo_server.web.http.urls import host_of
from cloudrepo_server.web.impersonation.https_listeners import HttpsListeners


class HttpsApi:
    """The handler of requests for HTTPS."""

    def __init__(self, listeners: HttpsListeners) -> None:
        self._listeners = listeners

    async def open_https(self, request: web.Request) -> web.Response:
        """Serve everything over HTTPS too, with the certificate of a throwaway authority."""
        body = await read_json(request, bodies.HttpsOptions)
        listener = await self._listeners.open(
            host_of(request), client_certificates=body.client_certificates
        )
        return json_response(listener)
