"""What supervisors and load balancers ask: whether this server lives, and whether it can serve."""

import asyncio
from time import monotonic

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import StorageError
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.http.responses import error_response, json_response

# Less than a probe usually waits for an answer.
_CHECK_SECONDS = 3.0
# Each look writes to the store, and anybody may ask for one.
_FRESH_SECONDS = 1.0


class Health:
    """Answers `/healthz` and `/readyz`, to anybody."""

    def __init__(self, organization: Organization, in_flight: InFlightRequests) -> None:
        self._organization = organization
        self._in_flight = in_flight
        self._seen_well = -_FRESH_SECONDS

    async def alive(self, _: web.Request) -> web.Response:
        """That the server lives: whoever gets no answer may start another."""
        return json_response({"status": "ok"})

    async def ready(self, _: web.Request) -> web.Response:
        """Whether requests are welcome: not while the store is silent, nor when the end is near."""
        if self._in_flight.stopping:
            return error_response(503, "The server is stopping.")
        try:
            await self._check()
        except (StorageError, TimeoutError):
            # Where the store is stays untold: anybody may ask.
            return error_response(503, "The storage does not answer.", {"Retry-After": "1"})
        return json_response({"status": "ready"})

    async def _check(self) -> None:
        if monotonic() - self._seen_well >= _FRESH_SECONDS:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._organization.check()
            self._seen_well = monotonic()
