"""The admin API's operations on damaged documents."""

from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.web.admin import responses
from cloudrepo_server.web.http.responses import json_response


class DamageApi:
    """The handlers of requests for damaged documents."""

    def __init__(self, organization: Organization) -> None:
        self._damaged = organization.damaged

    async def list_damaged(self, _: web.Request) -> web.Response:
        """List the stored documents that cannot be read, at most 1,000. Reads all documents."""
        return json_response(responses.DamagedDocumentsResponse(await self._damaged.all()))

    async def delete_damaged(self, request: web.Request) -> web.Response:
        """Delete a damaged document, which cannot be undone."""
        await self._damaged.delete(request.match_info["key"])
        return web.Response(status=HTTPStatus.NO_CONTENT)
