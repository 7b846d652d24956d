"""The admin API's part for what is to be swept away."""

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.stale_runs import StaleRunsReport, delete_stale_runs
from cloudrepo_server.web.admin import schemas
from cloudrepo_server.web.admin.openapi import Operation
from cloudrepo_server.web.http.request_body import read_json
from cloudrepo_server.web.http.responses import json_response


class SweepApi:
    """Answers requests to remove what was left."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def operations(self) -> list[Operation]:
        """The operation."""
        return [Operation("POST", "/api/sweep", self.sweep, StaleRunsReport, body=schemas.Sweep)]

    async def sweep(self, request: web.Request) -> web.Response:
        """Remove what test runs left that were killed."""
        body = await read_json(request, schemas.Sweep)
        swept = await delete_stale_runs(self._organization, older_than=body.runs_older_than)
        return json_response(swept)
