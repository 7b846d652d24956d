"""A listener through which programs reach hosts that a repository stands for, and no other.

Its credentials name an impersonation, so the programs of parallel tests do not meet.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.testkit.impersonation import Impersonation
from cloudrepo_server.web.http.responses import reason_phrase
from cloudrepo_server.web.impersonation.certificates import Authority

if TYPE_CHECKING:
    # Imported when the first program comes, which in most runs is never.
    import h11

_HEAD_SECONDS = 10.0
_CONNECT_SECONDS = 10.0
_WHO_ASKS = 407
_MAX_HEAD = 64 << 10
_CHUNK = 64 << 10
_END_OF_HEAD = b"\r\n\r\n"


class Tunnel(msgspec.Struct, frozen=True):
    """Where a connection that came through the proxy believes to be."""

    impersonation: Impersonation
    scheme: str
    host: str
    port: int


class Proxy:
    """Takes CONNECT and plain requests, and passes them to this server or to a host let through."""

    def __init__(self, organization: Organization) -> None:
        self._testkit = organization.testkit
        self._tunnels: dict[int, Tunnel] = {}
        self._authority: Authority | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._server: asyncio.Server | None = None
        self._home: tuple[str, int] = ("", 0)
        self._at_work: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: host and port.

        Raises:
            InvalidError: it does not.
        """
        if self._server is None:
            raise InvalidError("This server has no proxy.")
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def authority(self) -> Authority:
        """What signs the certificates of all hosts; the first call takes a moment.

        Raises:
            InvalidError: TLS is not installed.
        """
        if self._authority is None:
            self._authority = await asyncio.to_thread(Authority)
        return self._authority

    async def listen(self, host: str, *, home: tuple[str, int]) -> None:
        """Listen; `home` is where this server answers HTTP."""
        self._home = home
        self._server = await asyncio.start_server(self._accept, host, 0, limit=_MAX_HEAD)

    async def close(self) -> None:
        """Stop listening and end every tunnel."""
        if self._server is not None:
            self._server.close()
        for task in self._at_work:
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)

    def tunnel(self, request: web.BaseRequest) -> Tunnel | None:
        """The tunnel that a request came through, or None."""
        if not self._tunnels or request.transport is None:
            return None
        peer = request.transport.get_extra_info("peername")
        return self._tunnels.get(peer[1]) if peer else None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)
        # Whatever a program does with its side of a tunnel is no concern of the server's.
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ssl.SSLError):
            try:
                async with asyncio.timeout(_HEAD_SECONDS):
                    head = await reader.readuntil(_END_OF_HEAD)
            except asyncio.LimitOverrunError:
                await _refuse(writer, 431, f"The head of a request has at most {_MAX_HEAD} bytes")
            else:
                await self._answer(head, reader, writer)
        writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            request = _read_head(head)
            scheme, host, port = _destination(request)
        except (TypeError, ValueError):
            await _refuse(writer, 400, "This is not a request to a proxy")
            return
        impersonation = self._impersonation(request)
        if impersonation is None:
            await _refuse(writer, _WHO_ASKS, "The proxy's credentials are wrong")
            return
        if impersonation.allows(host):
            await _let_through(request, head, host, port, reader, writer)
            return
        tunnel = Tunnel(impersonation, scheme, host, port)
        if request.method != b"CONNECT":
            await self._come_home(tunnel, head, reader, writer)
            return
        if not Authority.is_installed():
            # Nothing can be said inside the tunnel; what is allowed needs no certificate of ours.
            self._testkit.record_blocked_request(
                impersonation.repository_id, "CONNECT", f"{host}:{port}"
            )
            await _refuse(writer, 403, f"{host} may not be reached from this test")
            return
        context = await self._context(host)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(context)
        await self._come_home(tunnel, b"", reader, writer)

    async def _come_home(
        self,
        tunnel: Tunnel,
        first: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        home_reader, home_writer = await asyncio.open_connection(*self._home)
        port = home_writer.get_extra_info("sockname")[1]
        self._tunnels[port] = tunnel
        try:
            home_writer.write(first)
            await _join(reader, writer, home_reader, home_writer)
        finally:
            del self._tunnels[port]
            home_writer.close()

    def _impersonation(self, request: h11.Request) -> Impersonation | None:
        header = dict(request.headers).get(b"proxy-authorization", b"")
        scheme, _, encoded = header.partition(b" ")
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return (
            self._testkit.impersonations.find(name, secret) if scheme.lower() == b"basic" else None
        )

    async def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            self._contexts[host] = (await self.authority()).context(host)
        return self._contexts[host]


def _read_head(head: bytes) -> h11.Request:
    import h11

    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise ValueError("not HTTP") from error
    if not isinstance(event, h11.Request):
        raise TypeError("a head is a request")
    return event


def _destination(request: h11.Request) -> tuple[str, str, int]:
    target = request.target.decode("ascii")
    if request.method == b"CONNECT":
        parts = urlsplit(f"//{target}")
        scheme, port = "https", parts.port or 443
    else:
        parts = urlsplit(target)
        scheme, port = parts.scheme, parts.port or 80
    if not parts.hostname or scheme not in ("http", "https"):
        raise ValueError("no host")
    return scheme, parts.hostname.lower(), port


async def _let_through(
    request: h11.Request,
    head: bytes,
    host: str,
    port: int,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            far_reader, far_writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        await _refuse(writer, 502, f"{host} cannot be reached")
        return
    try:
        if request.method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
        else:
            far_writer.write(_without_credentials(head))
        await _join(reader, writer, far_reader, far_writer)
    finally:
        far_writer.close()


def _without_credentials(head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(b"proxy-"))


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    # When one side has ended, the other has nobody to talk to.
    ways = {
        asyncio.ensure_future(_pump(reader, far_writer)),
        asyncio.ensure_future(_pump(far_reader, writer)),
    }
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()


async def _refuse(writer: asyncio.StreamWriter, status: int, reason: str) -> None:
    challenge = 'Proxy-Authenticate: Basic realm="cloudrepo"\r\n' if status == _WHO_ASKS else ""
    writer.write(
        f"HTTP/1.1 {status} {reason_phrase(reason)}\r\n{challenge}"
        "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )
    await writer.drain()
