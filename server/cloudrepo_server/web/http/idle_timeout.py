"""Closes connections that are idle for too long, so that slow clients do not occupy the server."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic
from typing import NamedTuple

from aiohttp.web_protocol import RequestHandler

from cloudrepo_server.web.http.in_flight import InFlightRequests

log = logging.getLogger("cloudrepo_server")

_CHECKS_PER_TIMEOUT = 4
_MAX_CHECK_SECONDS = 5.0


class _Observation(NamedTuple):
    unsent_bytes: int
    since: float


class IdleTimeout:
    """Closes a connection that sends no request, or receives nothing of its response, for too long.

    Reading a request's body has a timeout of its own (`body_chunks`), and aiohttp limits the time
    between two requests.
    """

    def __init__(self, in_flight: InFlightRequests, seconds: float) -> None:
        self._in_flight = in_flight
        self._seconds = seconds
        self._observations: dict[RequestHandler, _Observation] = {}

    async def run(self, connections: Callable[[], Iterable[RequestHandler]]) -> None:
        """Check all connections periodically, until cancelled."""
        while True:
            await asyncio.sleep(min(self._seconds / _CHECKS_PER_TIMEOUT, _MAX_CHECK_SECONDS))
            self.close_idle(list(connections()))

    def close_idle(self, connections: list[RequestHandler]) -> None:
        """Close the connections that made no progress for the timeout."""
        previous, self._observations = self._observations, {}
        now = monotonic()
        self._in_flight.keep_only(connections)
        for connection in connections:
            transport = connection.transport
            if transport is None:
                continue
            unsent_bytes = transport.get_write_buffer_size()
            if not unsent_bytes and self._in_flight.has_seen(connection):
                continue
            observation = previous.get(connection)
            if observation is None or observation.unsent_bytes != unsent_bytes:
                observation = _Observation(unsent_bytes, now)
            elif now - observation.since >= self._seconds:
                log.info(
                    "Closed a connection: the client %s for %g seconds",
                    "read nothing of the response" if unsent_bytes else "sent no request",
                    self._seconds,
                )
                transport.abort()
                continue
            self._observations[connection] = observation
