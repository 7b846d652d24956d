"""The admin API's part for impersonations."""

from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.web.admin import schemas
from cloudrepo_server.web.admin.openapi import Operation
from cloudrepo_server.web.http.request_body import read_json
from cloudrepo_server.web.http.responses import json_response
from cloudrepo_server.web.impersonation.certificates import CertificateAuthority
from cloudrepo_server.web.impersonation.proxy import Proxy

_IMPERSONATIONS = "/api/repositories/{name}/impersonations"


class ImpersonationApi:
    """Answers every request for a repository's impersonations."""

    def __init__(self, organization: Organization, proxy: Proxy) -> None:
        self._organization = organization
        self._proxy = proxy

    def operations(self) -> list[Operation]:
        """The operations on impersonations."""
        return [
            Operation(
                "POST",
                _IMPERSONATIONS,
                self.create_impersonation,
                schemas.ImpersonationAnswer,
                body=schemas.NewImpersonation,
                status=HTTPStatus.CREATED,
                refusals=(HTTPStatus.CONFLICT,),
            ),
            Operation(
                "DELETE",
                _IMPERSONATIONS + "/{id}",
                self.delete_impersonation,
                None,
                status=HTTPStatus.NO_CONTENT,
                refusals=(HTTPStatus.CONFLICT,),
            ),
        ]

    async def create_impersonation(self, request: web.Request) -> web.Response:
        """Let a repository stand for URLs, for programs that use the proxy that it names."""
        repository = await self._organization.repository(request.match_info["name"])
        body = await read_json(request, schemas.NewImpersonation)
        impersonations = self._organization.testkit.impersonations
        certificate = None
        if CertificateAuthority.is_installed() or any(
            url.startswith("https:") for url in body.urls
        ):
            certificate = (await self._proxy.authority()).pem
        made = impersonations.add(
            repository.name, repository.document.id, urls=body.urls, allow=body.allow
        )
        _, port = self._proxy.address
        host = request.url.host or "127.0.0.1"
        shown = f"[{host}]" if ":" in host else host
        answer = schemas.ImpersonationAnswer(
            id=made.id,
            proxy=f"http://{made.id}:{made.secret}@{shown}:{port}",
            ca=certificate,
        )
        return json_response(answer, status=HTTPStatus.CREATED)

    async def delete_impersonation(self, request: web.Request) -> web.Response:
        """End an impersonation."""
        repository = await self._organization.repository(request.match_info["name"])
        self._organization.testkit.impersonations.delete(
            repository.document.id, request.match_info["id"]
        )
        return web.Response(status=HTTPStatus.NO_CONTENT)
