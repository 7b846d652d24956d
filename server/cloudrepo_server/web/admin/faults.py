"""The admin API's operations on faults."""

from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.testkit.faults import Faults, parse_fault
from cloudrepo_server.web.http.request_body import read_bytes
from cloudrepo_server.web.http.responses import json_response


class FaultApi:
    """The handlers of requests for the faults of a repository."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def list_faults(self, request: web.Request) -> web.Response:
        """List the faults of a repository, oldest first."""
        faults = await self._faults(request)
        return json_response({"faults": [fault.as_json() for fault in faults.all()]})

    async def create_fault(self, request: web.Request) -> web.Response:
        """Create a fault, which takes effect from the next request on."""
        repository = await self._repository(request)
        specification = parse_fault(await read_bytes(request))
        fault = await self._organization.testkit.install_fault(repository, specification)
        return json_response(fault.as_json(), status=HTTPStatus.CREATED)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Delete every fault of a repository."""
        (await self._faults(request)).clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def delete_fault(self, request: web.Request) -> web.Response:
        """Delete a fault."""
        faults = await self._faults(request)
        faults.delete(request.match_info["id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _faults(self, request: web.Request) -> Faults:
        repository = await self._repository(request)
        return self._organization.testkit.faults(repository.document.id)

    async def _repository(self, request: web.Request) -> Repository:
        return await self._organization.repository(request.match_info["name"])
