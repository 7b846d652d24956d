"""The admin API's part for faults."""

from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.testkit.faults import Faults, FaultSpecification, parse_fault
from cloudrepo_server.web.admin import schemas
from cloudrepo_server.web.admin.openapi import Operation
from cloudrepo_server.web.http.request_body import read_bytes
from cloudrepo_server.web.http.responses import json_response

_FAULTS = "/api/repositories/{name}/faults"


class FaultApi:
    """Answers every request for a repository's faults."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def operations(self) -> list[Operation]:
        """The operations on faults."""
        gone, shared = HTTPStatus.NO_CONTENT, (HTTPStatus.CONFLICT,)
        return [
            Operation("GET", _FAULTS, self.list_faults, schemas.FaultsAnswer, refusals=shared),
            Operation(
                "POST",
                _FAULTS,
                self.create_fault,
                schemas.FaultAnswer,
                body=FaultSpecification,
                status=HTTPStatus.CREATED,
                refusals=shared,
            ),
            Operation("DELETE", _FAULTS, self.clear_faults, None, status=gone, refusals=shared),
            Operation(
                "DELETE", _FAULTS + "/{id}", self.delete_fault, None, status=gone, refusals=shared
            ),
        ]

    async def list_faults(self, request: web.Request) -> web.Response:
        """Every fault of a repository, oldest first, and how often it struck."""
        faults = await self._faults(request)
        return json_response({"faults": [fault.as_json() for fault in faults.all()]})

    async def create_fault(self, request: web.Request) -> web.Response:
        """Let a fault strike from now on."""
        repository = await self._repository(request)
        specification = parse_fault(await read_bytes(request))
        fault = await self._organization.testkit.install_fault(repository, specification)
        return json_response(fault.as_json(), status=HTTPStatus.CREATED)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Remove every fault of a repository."""
        (await self._faults(request)).clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def delete_fault(self, request: web.Request) -> web.Response:
        """Remove a fault."""
        faults = await self._faults(request)
        faults.delete(request.match_info["id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _faults(self, request: web.Request) -> Faults:
        repository = await self._repository(request)
        return self._organization.testkit.faults(repository.document.id)

    async def _repository(self, request: web.Request) -> Repository:
        return await self._organization.repository(request.match_info["name"])
