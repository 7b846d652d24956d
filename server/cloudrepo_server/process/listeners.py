"""The sockets on which a server listens."""

import asyncio
import socket
import ssl
from collections.abc import Iterator

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from cloudrepo_server.errors import ListenError

_BACKLOG = 1024


class Listeners:
    """The listening sockets of an application, some of them with TLS."""

    def __init__(self, runner: web.AppRunner, *, handshake_seconds: float) -> None:
        """Serve an application.

        Args:
            runner: runs the application.
            handshake_seconds: how long a client may take for the TLS handshake.
        """
        self._runner = runner
        self._handshake_seconds = handshake_seconds
        self._sockets: list[tuple[socket.socket, ssl.SSLContext | None]] = []

    @property
    def connections(self) -> list[RequestHandler]:
        """The open connections."""
        return [] if self._runner.server is None else self._runner.server.connections

    async def listen(self, host: str, port: int = 0, context: ssl.SSLContext | None = None) -> str:
        """Listen on an address, and return the URL of the server there.

        Args:
            host: a host name or an IP address.
            port: the port; 0 means a free port.
            context: the TLS context for HTTPS; None means HTTP.

        Raises:
            ListenError: the address cannot be used.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise ListenError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
        listener.settimeout(0)
        site = _Site(self._runner, listener, context, self._handshake_seconds)
        await site.start()
        self._sockets.append((listener, context))
        scheme = "http" if context is None else "https"
        url_host = f"[{host}]" if family == socket.AF_INET6 else host
        return f"{scheme}://{url_host}:{listener.getsockname()[1]}"

    async def close(self) -> None:
        """Stop accepting connections, after draining the accept backlog.

        When a listening socket is closed, the system resets the connections of its backlog. A load
        balancer that has sent an upload on such a connection would not send it again.
        """
        backlog = list(self._accept_backlog())
        for site in self._runner.sites:
            await site.stop()
        self._sockets.clear()
        server = self._runner.server
        for connection, context in backlog:
            if server is None:
                connection.close()
            else:
                await _serve_connection(server, connection, context, self._handshake_seconds)

    def close_idle(self) -> None:
        """Close the connections that have no request in flight."""
        for connection in self.connections:
            # Private to aiohttp, which has no public way to find a connection that is waiting for
            # a request.
            waiter = getattr(connection, "_waiter", None)
            if waiter is not None and not waiter.done():
                connection.force_close()

    def _accept_backlog(self) -> Iterator[tuple[socket.socket, ssl.SSLContext | None]]:
        for listener, context in self._sockets:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # the backlog is empty
                    break
                yield connection, context


class _Site(web.SockSite):
    """A listening socket on which clients have a limited time for the TLS handshake.

    asyncio allows 60 seconds, and aiohttp has no option for another time.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        listener: socket.socket,
        context: ssl.SSLContext | None,
        handshake_seconds: float,
    ) -> None:
        super().__init__(runner, listener, ssl_context=context, backlog=_BACKLOG)
        self._listener = listener
        self._context = context
        self._handshake_seconds = handshake_seconds

    async def start(self) -> None:
        """Start to accept connections."""
        await web.BaseSite.start(self)
        server = self._runner.server
        if server is None:
            raise RuntimeError("the application has to be set up first")
        self._server = await asyncio.get_running_loop().create_server(
            server,
            sock=self._listener,
            ssl=self._context,
            backlog=_BACKLOG,
            ssl_handshake_timeout=None if self._context is None else self._handshake_seconds,
        )


async def _serve_connection(
    server: web.Server,
    connection: socket.socket,
    context: ssl.SSLContext | None,
    handshake_seconds: float,
) -> None:
    loop = asyncio.get_running_loop()
    try:
        await loop.connect_accepted_socket(
            server,
            connection,
            ssl=context,
            ssl_handshake_timeout=None if context is None else handshake_seconds,
        )
    except OSError:  # the client has disconnected, or the TLS handshake failed
        connection.close()
