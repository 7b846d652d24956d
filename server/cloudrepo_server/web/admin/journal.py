"""The admin API's operations on the journal."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.testkit.journal import Journal
from cloudrepo_server.web.http.responses import json_response

_LARGEST_COUNT = 2**53 - 1  # the largest integer that every JSON library can represent

COUNT: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": _LARGEST_COUNT}
"""The JSON schema of a query parameter that is a count."""


class JournalApi:
    """The handlers of requests for the journal of a repository."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def list_requests(self, request: web.Request) -> web.Response:
        """List the newest `limit` completed requests that arrived after request number `after`."""
        journal = await self._journal(request)
        after, limit = _parse_count(request, "after"), _parse_count(request, "limit")
        requests = journal.completed(after=after or 0, limit=limit)
        return json_response({"requests": requests, "last": journal.last})

    async def clear_requests(self, request: web.Request) -> web.Response:
        """Delete every request from the journal."""
        (await self._journal(request)).clear()
        note_change("clear-journal", repository=request.match_info["name"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _journal(self, request: web.Request) -> Journal:
        repository = await self._organization.repository(request.match_info["name"])
        return self._organization.testkit.journal(repository.document.id)


def _parse_count(request: web.Request, name: str) -> int | None:
    """Return a query parameter that is a count, or None if the request does not have it."""
    text = request.query.get(name)
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_COUNT)):
        count = int(text)
        if count <= _LARGEST_COUNT:
            return count
    raise InvalidError(f"{name} must be an integer from 0 to {_LARGEST_COUNT}, not {text[:64]!r}.")
