"""Health checks for supervisors and load balancers: `/healthz` and `/readyz`."""

import asyncio
from time import monotonic

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import StorageError, StorageLostError
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.http.responses import error_response, json_response

# Shorter than the usual timeout of a probe.
_CHECK_SECONDS = 3.0
# A check writes to the store and anyone may request it, so its result is reused for this long.
_REUSE_SECONDS = 1.0


class Health:
    """The handlers of `/healthz` and `/readyz`, which need no credentials."""

    def __init__(self, organization: Organization, in_flight: InFlightRequests) -> None:
        self._organization = organization
        self._in_flight = in_flight
        self._last_success = -_REUSE_SECONDS

    async def alive(self, _: web.Request) -> web.Response:
        """Return 200. If there is no response, the server should be restarted."""
        return json_response({"status": "ok"})

    async def ready(self, _: web.Request) -> web.Response:
        """Return 200 if the server accepts requests, or 503 in a shutdown or storage failure."""
        if self._in_flight.stopping:
            return error_response(503, "The server is stopping.")
        try:
            await self._check()
        except StorageLostError:
            return error_response(
                503,
                "The stored data were deleted or replaced: restart the server.",
            )
        except (StorageError, TimeoutError):
            # The response does not contain the error, which may name the store.
            return error_response(503, "The store is not available.", headers={"Retry-After": "1"})
        return json_response({"status": "ready"})

    async def _check(self) -> None:
        if monotonic() - self._last_success >= _REUSE_SECONDS:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._organization.check()
            self._last_success = monotonic()
