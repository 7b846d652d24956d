"""The requests in flight, for a server that is to end without cutting them."""

import asyncio
from collections.abc import Iterable

from aiohttp.web_protocol import RequestHandler


class InFlightRequests:
    """Which connections are being answered, and whether the server is about to end."""

    def __init__(self) -> None:
        self.stopping = False
        self._busy: set[RequestHandler] = set()
        self._known: set[RequestHandler] = set()
        self._quiet = asyncio.Event()

    def __len__(self) -> int:
        return len(self._busy)

    def add(self, connection: RequestHandler) -> None:
        """Note that a connection's request came."""
        self._busy.add(connection)
        self._known.add(connection)

    def remove(self, connection: RequestHandler) -> None:
        """Note that it was answered."""
        self._busy.discard(connection)
        if self.stopping and not self._busy:
            self._quiet.set()

    def has_seen(self, connection: RequestHandler) -> bool:
        """Whether a request ever came on a connection."""
        return connection in self._known

    def keep_only(self, connections: Iterable[RequestHandler]) -> None:
        """Forget the connections that are no more."""
        self._known.intersection_update(connections)

    async def wait_until_none(self) -> None:
        """Return when nothing is in flight any more; for a server that is stopping."""
        if self._busy:
            self._quiet.clear()
            await self._quiet.wait()
