"""The proxy through which a test's subprocesses reach impersonated hosts, and allowed real ones.

Each impersonation has credentials for the proxy, which keep the subprocesses of parallel tests
apart.
"""

import asyncio
import contextlib
import ssl

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.web.http.responses import reason_phrase
from cloudrepo_server.web.impersonation.certificates import CertificateAuthority
from cloudrepo_server.web.impersonation.proxy_request import ProxyRequest, parse_proxy_request
from cloudrepo_server.web.impersonation.tunnel import Stream, Tunnel, open_stream, relay

_HEAD_SECONDS = 10.0
_CONNECT_SECONDS = 10.0
_MAX_HEAD = 64 << 10
_END_OF_HEAD = b"\r\n\r\n"
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_CHALLENGE = 'Proxy-Authenticate: Basic realm="cloudrepo"\r\n'


class Proxy:
    """A listener that forwards each connection to this server or to an allowed real host."""

    def __init__(self, organization: Organization) -> None:
        self._testkit = organization.testkit
        self._tunnels: dict[int, Tunnel] = {}
        """The tunnels to this server, by the client port of the connection to it."""
        self._authority: CertificateAuthority | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._server: asyncio.Server | None = None
        self._server_address: tuple[str, int] = ("", 0)
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> tuple[str, int]:
        """The host and port on which the proxy listens.

        Raises:
            InvalidError: the proxy does not listen.
        """
        if self._server is None:
            raise InvalidError("This server has no proxy.")
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def authority(self) -> CertificateAuthority:
        """Return the authority that signs certificates, and create it at the first call.

        Raises:
            InvalidError: the extra `tls` is not installed.
        """
        if self._authority is None:
            # In a thread because the creation of keys is slow.
            self._authority = await asyncio.to_thread(CertificateAuthority)
        return self._authority

    async def listen(self, host: str, *, server_address: tuple[str, int]) -> None:
        """Listen on a free port.

        Args:
            host: the host name or IP address to listen on.
            server_address: the host and port at which this server accepts HTTP requests.
        """
        self._server_address = server_address
        self._server = await asyncio.start_server(self._accept, host, 0, limit=_MAX_HEAD)

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def tunnel(self, request: web.BaseRequest) -> Tunnel | None:
        """Return the tunnel through which a request arrived, or None if it arrived directly."""
        if not self._tunnels or request.transport is None:
            return None
        peer = request.transport.get_extra_info("peername")
        return self._tunnels.get(peer[1]) if peer else None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        client = Stream(reader, writer)
        # A connection that a client breaks is not an error of the server.
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ssl.SSLError):
            try:
                async with asyncio.timeout(_HEAD_SECONDS):
                    head = await reader.readuntil(_END_OF_HEAD)
            except asyncio.LimitOverrunError:
                await _reject(
                    client, 431, f"The head of the request is longer than {_MAX_HEAD} bytes"
                )
            else:
                await self._handle(head, client)
        client.close()

    async def _handle(self, head: bytes, client: Stream) -> None:
        try:
            request = parse_proxy_request(head)
        except ValueError:
            await _reject(client, 400, "This is not a request to a proxy")
            return
        impersonation = (
            self._testkit.impersonations.find(*request.credentials) if request.credentials else None
        )
        if impersonation is None:
            await _reject(client, 407, "The credentials for the proxy are wrong", _CHALLENGE)
            return
        if impersonation.allows(request.host):
            await _forward_to_real_host(request, client)
            return
        tunnel = Tunnel(impersonation, request.scheme, request.host, request.port)
        if not request.is_connect:
            await self._forward_to_this_server(tunnel, client, request.head)
        elif CertificateAuthority.is_installed():
            context = await self._context(request.host)
            await client.send(_ESTABLISHED)
            await client.writer.start_tls(context)
            await self._forward_to_this_server(tunnel, client)
        else:
            # Without a certificate the host cannot be impersonated, only blocked.
            entry = self._testkit.record_blocked_request(
                impersonation.repository_id, "CONNECT", f"{request.host}:{request.port}"
            )
            await _reject(client, 403, entry.reason)

    async def _forward_to_this_server(
        self, tunnel: Tunnel, client: Stream, head: bytes = b""
    ) -> None:
        server = await open_stream(*self._server_address)
        client_port = server.writer.get_extra_info("sockname")[1]
        self._tunnels[client_port] = tunnel
        try:
            server.writer.write(head)
            await relay(client, server)
        finally:
            del self._tunnels[client_port]
            server.close()

    async def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            self._contexts[host] = (await self.authority()).context(host)
        return self._contexts[host]


async def _forward_to_real_host(request: ProxyRequest, client: Stream) -> None:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            upstream = await open_stream(request.host, request.port)
    except (OSError, TimeoutError):
        await _reject(client, 502, f"Cannot connect to {request.host}, port {request.port}")
        return
    try:
        if request.is_connect:
            await client.send(_ESTABLISHED)
        else:
            upstream.writer.write(request.head_without_credentials)
        await relay(client, upstream)
    finally:
        upstream.close()


async def _reject(client: Stream, status: int, reason: str, headers: str = "") -> None:
    await client.send(
        f"HTTP/1.1 {status} {reason_phrase(reason)}\r\n{headers}"
        "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )
