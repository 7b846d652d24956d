"""The admin API's operations on impersonations."""

from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.web.admin import bodies, responses
from cloudrepo_server.web.http.request_body import read_json
from cloudrepo_server.web.http.responses import json_response
from cloudrepo_server.web.http.urls import host_of
from cloudrepo_server.web.impersonation.creation import create_impersonation
from cloudrepo_server.web.impersonation.proxy import Proxy


class ImpersonationApi:
    """The handlers of requests for the impersonations of a repository."""

    def __init__(self, organization: Organization, proxy: Proxy) -> None:
        self._organization = organization
        self._proxy = proxy

    async def create_impersonation(self, request: web.Request) -> web.Response:
        """Serve a repository under other hosts' URLs, to clients that use the returned proxy."""
        repository = await self._organization.repository(request.match_info["name"])
        body = await read_json(request, bodies.NewImpersonation)
        # An invalid Host header is rejected before anything is created.
        host = host_of(request)
        created = await create_impersonation(
            self._organization,
            self._proxy,
            repository,
            urls=body.urls,
            allow=body.allow,
            indexes=body.indexes,
            requires_login=body.requires_login,
            proxy_login=body.proxy_login,
            job=body.job,
        )
        response = responses.ImpersonationResponse(
            id=created.impersonation.id,
            proxy=created.proxy_url(self._proxy, host),
            ca=created.certificate,
        )
        return json_response(response, status=HTTPStatus.CREATED)

    async def delete_impersonation(self, request: web.Request) -> web.Response:
        """Delete an impersonation."""
        repository = await self._organization.repository(request.match_info["name"])
        self._organization.testkit.impersonations.delete(
            repository.document.id, request.match_info["id"]
        )
        return web.Response(status=HTTPStatus.NO_CONTENT)
