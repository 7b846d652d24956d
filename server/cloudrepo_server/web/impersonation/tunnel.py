"""Tunnels: connections of clients that the proxy forwards to this server."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from cloudrepo_server.testkit.impersonation import Impersonation
from cloudrepo_server.web.impersonation.stream import CHUNK, Stream


class Tunnel(msgspec.Struct, frozen=True):
    """The destination of a proxied connection, and the impersonation that the client uses."""

    impersonation: Impersonation
    scheme: str
    host: str
    port: int


class TunnelProtocol(RequestHandler):
    """A connection to this server whose other end is held by the proxy.

    The tunnel is a property of the connection itself, and never looked up by an address: clients
    choose their addresses and ports.
    """

    __slots__ = ("tunnel",)

    def __init__(self, tunnel: Tunnel, server: web.Server, options: Mapping[str, Any]) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), tcp_keepalive=False, **options)
        self.tunnel = tunnel


class TunnelServer:
    """Opens tunnels to a server inside this process."""

    def __init__(
        self, server: web.Server, options: Mapping[str, Any], *, stall_seconds: float
    ) -> None:
        """Open tunnels to a server.

        Args:
            server: handles the requests.
            options: the options of each connection, as for `aiohttp.web.AppRunner`.
            stall_seconds: the seconds that the server may take to read.
        """
        self._server = server
        self._options = options
        self._stall_seconds = stall_seconds
        self._handshakes: set[asyncio.Task[None]] = set()

    async def open(self, tunnel: Tunnel, context: ssl.SSLContext | None = None) -> Stream:
        """Return a connection on which every request belongs to the tunnel.

        With a TLS context, the server expects a TLS handshake on the connection. So the
        caller can forward to it what the client has already sent.

        Raises:
            OSError: the system has no more sockets.
        """
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        try:
            near.settimeout(0)
            far.settimeout(0)
            if context is None:
                await self._accept(tunnel, far)
            else:
                # The handshake ends only after the caller has forwarded it.
                handshake = asyncio.ensure_future(self._accept_with_tls(tunnel, far, context))
                self._handshakes.add(handshake)
                handshake.add_done_callback(self._handshakes.discard)
            reader = asyncio.StreamReader(limit=CHUNK, loop=loop)
            transport, protocol = await loop.connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(reader, loop=loop), near
            )
        except BaseException:
            near.close()
            far.close()
            raise
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        return Stream(reader, writer, self._stall_seconds)

    async def _accept(
        self, tunnel: Tunnel, connection: socket.socket, context: ssl.SSLContext | None = None
    ) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: TunnelProtocol(tunnel, self._server, self._options),
            connection,
            ssl=context,
            ssl_handshake_timeout=None if context is None else self._stall_seconds,
        )

    async def _accept_with_tls(
        self, tunnel: Tunnel, connection: socket.socket, context: ssl.SSLContext
    ) -> None:
        # A client that does not complete the handshake is not an error of the server.
        with contextlib.suppress(OSError, TimeoutError):
            await self._accept(tunnel, connection, context)


def tunnel_of(request: web.BaseRequest) -> Tunnel | None:
    """Return the tunnel through which a request arrived, or None if it arrived directly."""
    protocol = request.protocol
    return protocol.tunnel if isinstance(protocol, TunnelProtocol) else None
