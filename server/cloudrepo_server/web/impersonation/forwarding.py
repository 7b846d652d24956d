"""Forwards one plain HTTP request to the proxy, and returns its response.

Clients keep one connection to a proxy for the requests to all http hosts. The proxy decides for
each request where it goes. It therefore forwards exactly one request of each connection, and closes
the connection after the response.
"""

import asyncio
from typing import TYPE_CHECKING

import h11

from cloudrepo_server.web.impersonation.proxy_request import MAX_HEAD
from cloudrepo_server.web.impersonation.stream import CHUNK, Stream, discard, run_until_first

if TYPE_CHECKING:
    from cloudrepo_server.web.impersonation.proxy_request import ProxyRequest

_Headers = list[tuple[bytes, bytes]]

_SWITCHING_PROTOCOLS = 101
# Headers about one connection rather than about the message (RFC 9110, 7.6.1).
_CONNECTION_HEADERS = frozenset(
    (b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)


class BodyError(Exception):
    """The client sent a body that is not encoded as its headers say."""


class Forwarding:
    """Forwards a request of a client to another server, and returns the response."""

    def __init__(
        self,
        client: Stream,
        request: "ProxyRequest",
        server: Stream,
        *,
        body_seconds: float | None = None,
    ) -> None:
        """Prepare to forward a request.

        Args:
            client: the client's connection.
            request: the head of the request.
            server: a connection to the server that the request is for.
            body_seconds: how long the client may send nothing of the body, unless the server
                itself has a limit.
        """
        self._body_seconds = body_seconds
        self._client = client
        self._server = server
        self._request = request
        self._to_client = request.connection
        self._to_server = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)

    @property
    def response_started(self) -> bool:
        """Whether the client received a part of the response."""
        return self._to_client.our_state is not h11.SEND_RESPONSE

    async def run(self) -> None:
        """Forward the request, and return the response.

        Raises:
            BodyError: the request's body is not valid.
            ConnectionError: the client or the server disconnected before the end.
            TimeoutError: the client or the server reads nothing, or the client sends nothing.
        """
        try:
            await run_until_first(self._return_response(), self._forward_request())
        except h11.ProtocolError as error:
            raise ConnectionAbortedError("a message cannot be forwarded") from error

    async def _forward_request(self) -> None:
        head = h11.Request(
            method=self._request.head.method,
            target=self._request.target,
            headers=request_headers(self._request),
        )
        try:
            await self._send_to_server(head)
            while not isinstance(event := await self._next_body_event(), h11.EndOfMessage):
                await self._send_to_server(event)
            await self._send_to_server(h11.EndOfMessage())
        except ConnectionError:
            # The server may have responded before it closed the connection.
            pass
        # A further request of the client is not read: it may be for another host.
        await discard(self._client.reader)
        raise ConnectionAbortedError("the client disconnected before the response")

    async def _next_body_event(self) -> h11.Event:
        while True:
            try:
                event = self._to_client.next_event()
            except h11.RemoteProtocolError as error:
                raise BodyError from error
            if isinstance(event, h11.Event):
                return event
            async with asyncio.timeout(self._body_seconds):
                data = await self._client.reader.read(CHUNK)
            self._to_client.receive_data(data)

    async def _send_to_server(self, event: h11.Event) -> None:
        await self._server.send(self._to_server.send(event) or b"")

    async def _return_response(self) -> None:
        while True:
            event = await self._next_response_event()
            if isinstance(event, h11.Response):
                event = h11.Response(
                    status_code=event.status_code,
                    reason=event.reason,
                    headers=response_headers(event),
                )
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == _SWITCHING_PROTOCOLS or not self._is_http_1_1:
                    continue
            elif isinstance(event, h11.EndOfMessage):
                event = h11.EndOfMessage()
            await self._client.send(self._to_client.send(event) or b"")
            if isinstance(event, h11.EndOfMessage):
                return

    @property
    def _is_http_1_1(self) -> bool:
        return self._request.head.http_version >= b"1.1"

    async def _next_response_event(self) -> h11.Event:
        while True:
            try:
                event = self._to_server.next_event()
            except h11.RemoteProtocolError as error:
                raise ConnectionAbortedError("the server sent no valid response") from error
            if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise ConnectionAbortedError("the server closed the connection")
            if isinstance(event, h11.Event):
                return event
            self._to_server.receive_data(await self._server.reader.read(CHUNK))


def request_headers(request: "ProxyRequest") -> _Headers:
    """Return the headers to send to the destination server.

    Headers for the proxy are left out, and headers about the connection are replaced.
    """
    kept = _end_to_end(request.head)
    names = {name.lower() for name, _ in request.head.headers}
    chunked = b"transfer-encoding" in names
    dropped = (b"host", b"content-length") if chunked else (b"host",)
    headers = [
        (b"Host", request.authority.encode("ascii")),
        *((name, value) for name, value in kept if name.lower() not in dropped),
        (b"Connection", b"close"),
    ]
    return [*headers, (b"Transfer-Encoding", b"chunked")] if chunked else headers


def response_headers(response: h11.Response) -> _Headers:
    """Return the headers to send to the client, whose connection is closed after the response."""
    names = {name.lower() for name, _ in response.headers}
    headers = [*_end_to_end(response), (b"Connection", b"close")]
    if b"transfer-encoding" in names:
        headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    return headers


def _end_to_end(message: h11.Request | h11.Response) -> _Headers:
    named = {
        name.strip().lower()
        for header, value in message.headers
        if header == b"connection"
        for name in value.split(b",")
    }
    dropped = _CONNECTION_HEADERS | named - {b"content-length"}
    return [
        (name, value)
        for name, value in message.headers.raw_items()
        if name.lower() not in dropped and not name.lower().startswith(b"proxy-")
    ]
