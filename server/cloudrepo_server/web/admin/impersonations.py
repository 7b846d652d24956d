"""The admin API's operations on impersonations."""

from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.testkit.impersonation import parse_url_prefix
from cloudrepo_server.web.admin import bodies, responses
from cloudrepo_server.web.http.request_body import read_json
from cloudrepo_server.web.http.responses import json_response
from cloudrepo_server.web.http.urls import host_of
from cloudrepo_server.web.impersonation.certificates import CertificateAuthority
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
        host = host_of(request)
        certificate = None
        prefixes = [*map(parse_url_prefix, body.urls)]
        prefixes += [prefix for index in body.indexes for prefix in index.prefixes()]
        secure = {prefix.host for prefix in prefixes if prefix.is_https}
        if secure or CertificateAuthority.is_installed():
            certificate = (await self._proxy.authority()).pem
        for secure_host in secure:
            # Some host names cannot have a certificate: report that now, not at a connection.
            await self._proxy.context(secure_host)
        impersonation = self._organization.testkit.impersonations.add(
            repository.name,
            repository.document.id,
            urls=body.urls,
            allow=body.allow,
            indexes=body.indexes,
            job=body.job,
        )
        _, port = self._proxy.address
        url_host = f"[{host}]" if ":" in host else host
        response = responses.ImpersonationResponse(
            id=impersonation.id,
            proxy=f"http://{impersonation.id}:{impersonation.secret}@{url_host}:{port}",
            ca=certificate,
        )
        return json_response(response, status=HTTPStatus.CREATED)

    async def delete_impersonation(self, request: web.Request) -> web.Response:
        """Delete an impersonation."""
        repository = await self._organization.repository(request.match_info["name"])
        self._organization.testkit.impersonations.delete(
            repository.document.id, request.match_info["id"]
        )
        return web.Response(status=HTTPStatus.NO_CONTENT)
