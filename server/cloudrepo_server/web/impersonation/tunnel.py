"""Tunnels: connections of clients that the proxy forwards to this server."""

import asyncio
import socket
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

    async def open(self, tunnel: Tunnel) -> Stream:
        """Return a connection on which every request belongs to the tunnel.

        Raises:
            OSError: the system has no more sockets.
        """
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        try:
            near.settimeout(0)
            far.settimeout(0)
            await loop.connect_accepted_socket(
                lambda: TunnelProtocol(tunnel, self._server, self._options), far
            )
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


def tunnel_of(request: web.BaseRequest) -> Tunnel | None:
    """Return the tunnel through which a request arrived, or None if it arrived directly."""
    protocol = request.protocol
    return protocol.tunnel if isinstance(protocol, TunnelProtocol) else None
