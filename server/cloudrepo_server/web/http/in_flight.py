"""The requests that are in flight, so that shutdown can wait for them and their number is limited.

`track_in_flight` counts them, `limit_in_flight` rejects requests above the limit, and
`close_if_body_unread` closes connections that cannot take another request.
"""

import asyncio
from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

from cloudrepo_server.errors import BusyError
from cloudrepo_server.web.http.request_state import state_of

_REQUEST_TIMEOUT = 408


class InFlightRequests:
    """The connections with a request in flight, and whether the server is shutting down."""

    def __init__(self) -> None:
        self.stopping = False
        self._busy: set[RequestHandler] = set()
        self._seen: set[RequestHandler] = set()
        self._none_left = asyncio.Event()
        self._received = 0

    def __len__(self) -> int:
        return len(self._busy)

    def add(self, connection: RequestHandler) -> None:
        """Add the request that a connection received."""
        self._busy.add(connection)
        self.note_request(connection)

    def remove(self, connection: RequestHandler) -> None:
        """Remove a connection's request, once its response was sent."""
        self._busy.discard(connection)
        if self.stopping and not self._busy:
            self._none_left.set()

    def note_request(self, connection: RequestHandler) -> None:
        """Note that a connection received a request, which need not be in flight."""
        self._seen.add(connection)
        self._received += 1

    def has_seen(self, connection: RequestHandler) -> bool:
        """Return whether a connection ever received a request."""
        return connection in self._seen

    def keep_only(self, connections: Iterable[RequestHandler]) -> None:
        """Forget all connections except for these, which are still open."""
        self._seen.intersection_update(connections)

    async def wait_until_none(self) -> None:
        """Wait until no request is in flight. Call it only after `stopping` was set."""
        if self._busy:
            self._none_left.clear()
            await self._none_left.wait()

    async def wait_until_idle(self, seconds: float) -> None:
        """Wait until no request was received or in flight for some seconds."""
        before = None
        while self._busy or self._received != before:
            before = self._received
            await asyncio.sleep(seconds)


def track_in_flight(in_flight: InFlightRequests) -> Middleware:
    """Return the middleware that counts the requests in flight.

    While the server is shutting down, it closes each connection after its response.
    """

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = request.protocol
        in_flight.add(connection)
        try:
            response = await handler(request)
            if in_flight.stopping:
                await _send_and_close(request, response)
            return response
        finally:
            in_flight.remove(connection)

    return count


@web.middleware
async def close_if_body_unread(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Close the connection after a response to a request whose body was not read.

    The client may still send the body, or has sent only a part of it. So the server cannot tell
    where the next request would begin (RFC 9110, 10.1.1).
    """
    response = await handler(request)
    if state_of(request).awaits_continue or response.status == _REQUEST_TIMEOUT:
        await _send_and_close(request, response)
        request.protocol.force_close()
    return response


def limit_in_flight(
    in_flight: InFlightRequests, maximum: int, *, exempt: Iterable[str]
) -> Middleware:
    """Return the middleware that rejects requests while too many others are in flight.

    Args:
        in_flight: the requests in flight, this one included.
        maximum: how many of them are handled at the same time.
        exempt: the paths of requests that are always handled.
    """
    exempt = frozenset(exempt)

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if len(in_flight) > maximum and request.path not in exempt:
            raise BusyError(
                f"The server is busy: it handles at most {maximum} requests at once. Try again."
            )
        return await handler(request)

    return limit


async def _send_and_close(request: web.Request, response: web.StreamResponse) -> None:
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
