"""The admin API's operation that deletes leftovers."""

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.stale_runs import delete_stale_runs
from cloudrepo_server.web.admin import bodies
from cloudrepo_server.web.http.request_body import read_json
from cloudrepo_server.web.http.responses import json_response


class SweepApi:
    """The handler of requests to delete leftovers."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def sweep(self, request: web.Request) -> web.Response:
        """Delete the repositories and users of killed pytest sessions."""
        body = await read_json(request, bodies.Sweep)
        report = await delete_stale_runs(self._organization, older_than=body.runs_older_than)
        return json_response(report)
