"""The requests in flight, for a server that is to end without cutting them."""

import asyncio

from aiohttp.web_protocol import RequestHandler


class Traffic:
    """Which connections are being answered, and whether the server is about to end."""

    def __init__(self) -> None:
        self.stopping = False
        self._busy: set[RequestHandler] = set()
        self._quiet = asyncio.Event()

    def __len__(self) -> int:
        return len(self._busy)

    def begin(self, connection: RequestHandler) -> None:
        """Note that a connection's request came."""
        self._busy.add(connection)

    def end(self, connection: RequestHandler) -> None:
        """Note that it was answered."""
        self._busy.discard(connection)
        if self.stopping and not self._busy:
            self._quiet.set()

    async def quiet(self) -> None:
        """Return when nothing is in flight any more; for a server that is stopping."""
        if self._busy:
            self._quiet.clear()
            await self._quiet.wait()
