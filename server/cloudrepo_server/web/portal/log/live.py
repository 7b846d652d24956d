"""Live updates of the request log, as server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from time import monotonic

import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from cloudrepo_server.errors import BusyError
from cloudrepo_server.limits import MAX_LIVE_PAGES
from cloudrepo_server.testkit.feed import Feed
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.http.streamed_response import StreamedResponse
from cloudrepo_server.web.portal.log.filters import Predicate

_POLL_SECONDS = 0.25
# Shorter than the timeouts of proxies, and than the idle timeout of this server.
_KEEP_ALIVE_SECONDS = 15.0
_ROWS_PER_EVENT = 50
_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}


class LiveView(msgspec.Struct, frozen=True):
    """The requests that a page shows live, and how it renders them."""

    feed: Feed
    predicates: Sequence[Predicate]
    """The conditions that a request must fulfil to be shown."""
    render: Callable[[Sequence[Entry]], str]
    """Returns the HTML of rows."""
    is_signed_in: Callable[[], Awaitable[bool]]
    """Returns whether the session is still valid."""
    after: int
    """The number of the newest request in the feed that the page shows."""


class LivePages:
    """The pages that show requests live; their number is limited."""

    def __init__(self, in_flight: InFlightRequests) -> None:
        self._in_flight = in_flight
        self._open = 0

    async def stream(self, request: web.Request, view: LiveView) -> web.StreamResponse:
        """Return the stream of events for a page. Each event has the rows of new requests.

        It ends when the session or the server ends, or when the browser disconnects.

        Raises:
            BusyError: too many pages are live, or the server is stopping.
        """
        if request.method == "HEAD":
            return web.Response(headers=_HEADERS)
        if self._in_flight.stopping:
            raise BusyError("The server is stopping.")
        if self._open >= MAX_LIVE_PAGES:
            raise BusyError(
                f"The server is busy: {MAX_LIVE_PAGES} pages are live already. Close one of them."
            )
        # The shutdown need not wait for the stream, which ends by itself when the server stops.
        self._in_flight.remove(request.protocol)
        return await StreamedResponse.open(200, _HEADERS, self._events(request.protocol, view))

    async def _events(
        self, connection: RequestHandler, view: LiveView
    ) -> AsyncGenerator[bytes, None]:
        after = view.after
        self._open += 1
        try:
            yield _event("open", {}, after)
            sent = monotonic()
            while connection.connected:
                if self._in_flight.stopping:
                    yield _event("end", {"reason": "stopping"}, after)
                    return
                if not await view.is_signed_in():
                    yield _event("end", {"reason": "signed out"}, after)
                    return
                entries, left_out = view.feed.after(after)
                after = view.feed.last
                for predicate in view.predicates:
                    entries = [*filter(predicate, entries)]
                left_out += max(0, len(entries) - _ROWS_PER_EVENT)
                if entries or left_out:
                    rows = view.render(entries[-_ROWS_PER_EVENT:])
                    yield _event("rows", {"html": rows, "left_out": left_out}, after)
                    sent = monotonic()
                elif monotonic() - sent >= _KEEP_ALIVE_SECONDS:
                    yield b":\n\n"
                    sent = monotonic()
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self._open -= 1


def _event(kind: str, data: dict[str, object], number: int) -> bytes:
    # JSON has no line breaks, which would end the field.
    encoded = msgspec.json.encode(data)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (number, kind.encode(), encoded)
