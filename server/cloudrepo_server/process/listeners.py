"""Where a server listens, until nobody is let in any more."""

import asyncio
import socket
import ssl
from collections.abc import Iterator

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

BACKLOG = 1024


class Listeners:
    """The sockets on which an application is reached."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        self._listening: list[tuple[socket.socket, ssl.SSLContext | None]] = []

    @property
    def connections(self) -> list[RequestHandler]:
        """Those who were let in and have not gone."""
        return [] if self._runner.server is None else self._runner.server.connections

    async def add(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        """Let clients in by a socket, under TLS where there is a context for it."""
        listener.settimeout(0)
        site = web.SockSite(self._runner, listener, ssl_context=context, backlog=BACKLOG)
        await site.start()
        self._listening.append((listener, context))

    async def close(self) -> None:
        """Let nobody in any more, but those who are waiting at the door.

        What a closed socket had not accepted is reset by the system: a load balancer that has sent
        an upload by then will not send it again.
        """
        waiting = list(self._waiting())
        for site in self._runner.sites:
            await site.stop()
        self._listening.clear()
        server = self._runner.server
        for accepted, context in waiting:
            if server is None:
                accepted.close()
            else:
                await _let_in(server, accepted, context)

    def close_idle(self) -> None:
        """Close the connections on which nothing was asked that is not answered."""
        for connection in self.connections:
            # As aiohttp itself tells who waits for a request; it has no other word for it.
            waiter = getattr(connection, "_waiter", None)
            if waiter is not None and not waiter.done():
                connection.force_close()

    def _waiting(self) -> Iterator[tuple[socket.socket, ssl.SSLContext | None]]:
        for listener, context in self._listening:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:  # nobody is left
                    break
                yield accepted, context


async def _let_in(
    server: web.Server, accepted: socket.socket, context: ssl.SSLContext | None
) -> None:
    loop = asyncio.get_running_loop()
    try:
        await loop.connect_accepted_socket(server, accepted, ssl=context)
    except OSError:  # gone already, or not who TLS is for
        accepted.close()
