"""Cuts connections on which nothing moves, so that clients who are slow or gone hold nothing."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic
from typing import NamedTuple

from aiohttp.web_protocol import RequestHandler

from cloudrepo_server.web.http.in_flight import InFlightRequests

log = logging.getLogger("cloudrepo_server")

_LOOKS = 4
_SELDOM = 5.0


class _Mark(NamedTuple):
    pending: int
    since: float


class IdleTimeout:
    """How long a client may take to ask for anything, or to take any of what it asked for.

    How long one may take to send a body is seen to where that is read, and how long it may keep a
    connection between two requests by aiohttp.
    """

    def __init__(self, in_flight: InFlightRequests, seconds: float) -> None:
        self._in_flight = in_flight
        self._seconds = seconds
        self._marks: dict[RequestHandler, _Mark] = {}

    async def run(self, connections: Callable[[], Iterable[RequestHandler]]) -> None:
        """Look at all connections again and again."""
        while True:
            await asyncio.sleep(min(self._seconds / _LOOKS, _SELDOM))
            self.close_idle(list(connections()))

    def close_idle(self, connections: list[RequestHandler]) -> None:
        """Cut those that have not moved for long."""
        before, self._marks = self._marks, {}
        now = monotonic()
        self._in_flight.keep_only(connections)
        for connection in connections:
            transport = connection.transport
            if transport is None:
                continue
            pending = transport.get_write_buffer_size()
            if not pending and self._in_flight.has_seen(connection):
                continue
            mark = before.get(connection)
            if mark is None or mark.pending != pending:
                mark = _Mark(pending, now)
            elif now - mark.since >= self._seconds:
                what = "took nothing more" if pending else "asked for nothing"
                log.info("A client %s for %g seconds and was cut", what, self._seconds)
                transport.abort()
                continue
            self._marks[connection] = mark
