"""The sockets on which a server listens."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

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
        self._sockets: list[_ListeningSocket] = []
        self._connecting: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> list[RequestHandler]:
        """The open connections."""
        return [] if self._runner.server is None else self._runner.server.connections

    async def listen(
        self, host: str, port: int = 0, *, context: ssl.SSLContext | None = None
    ) -> str:
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
            # Windows has another text for this error, and Wine has only its number.
            in_use = error.errno == errno.EADDRINUSE
            reason = "Address already in use" if in_use else error.strerror
            raise ListenError(f"cannot listen on {host}, port {port}: {reason}") from error
        listener.settimeout(0)
        site = _Site(self._runner, listener, context, self._handshake_seconds)
        await site.start()
        self._sockets.append(_ListeningSocket(listener, listener.dup(), context))
        scheme = "http" if context is None else "https"
        url_host = f"[{host}]" if family == socket.AF_INET6 else host
        return f"{scheme}://{url_host}:{listener.getsockname()[1]}"

    async def close(self) -> None:
        """Stop accepting connections, after draining the accept backlog.

        When a listening socket is closed, the system resets the connections of its backlog. A load
        balancer that has sent an upload on such a connection would not send it again.
        """
        loop = asyncio.get_running_loop()
        if isinstance(loop, asyncio.SelectorEventLoop):
            # This event loop accepts a connection in one step and adds it to the server in the
            # next, and drops the connection if the server was closed in between.
            for each in self._sockets:
                loop.remove_reader(each.listener)
            await asyncio.sleep(0)
        for site in self._runner.sites:
            await site.stop()
        for each in self._sockets:
            backlog = list(each.accept_backlog())
            each.duplicate.close()
            for connection in backlog:
                # A task for each connection, because a TLS handshake waits for its client.
                task = loop.create_task(self._serve(connection, each.context))
                self._connecting.add(task)
                task.add_done_callback(self._connecting.discard)
        self._sockets.clear()

    @property
    def is_sending(self) -> bool:
        """Whether a client has not taken all bytes of a response yet."""
        transports = (each.transport for each in self.connections)
        return any(each is not None and each.get_write_buffer_size() for each in transports)

    @property
    def is_connecting(self) -> bool:
        """Whether clients that waited in the accept backlog have not connected yet.

        A client connects at once, but with TLS only after its handshake.
        """
        return bool(self._connecting)

    @property
    def idle(self) -> list[RequestHandler]:
        """The connections that have no request in flight."""
        # aiohttp has no public attribute that says whether a connection waits for a request.
        waiters = [(each, getattr(each, "_waiter", None)) for each in self.connections]
        return [each for each, waiter in waiters if waiter is not None and not waiter.done()]

    async def _serve(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        server = self._runner.server
        if server is None:
            connection.close()
            return
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                server,
                connection,
                ssl=context,
                ssl_handshake_timeout=None if context is None else self._handshake_seconds,
            )
        except OSError:  # the client has disconnected, or the TLS handshake failed
            connection.close()


@dataclass(frozen=True, slots=True)
class _ListeningSocket:
    """A listening socket, and a duplicate that stays open when the event loop closes the socket.

    The duplicate makes it possible to drain the backlog after the event loop stopped accepting.
    """

    listener: socket.socket
    duplicate: socket.socket
    context: ssl.SSLContext | None

    def accept_backlog(self) -> Iterator[socket.socket]:
        """Accept the connections that wait in the backlog."""
        while True:
            try:
                connection, _ = self.duplicate.accept()
            except ConnectionAbortedError:  # this client has disconnected
                continue
            except OSError:  # the backlog is empty
                return
            yield connection


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
