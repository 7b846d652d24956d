"""The proxy through which subprocesses reach impersonated hosts and the allowed real hosts.

Each impersonation has credentials for the proxy, which keep the subprocesses of parallel tests
apart.
"""

import asyncio
import contextlib
import ssl
from functools import partial

from cachetools import LRUCache

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_PROXY_LISTENERS
from cloudrepo_server.logs.redaction import set_request_secrets
from cloudrepo_server.pools import IMPORTS
from cloudrepo_server.testkit.impersonation import Impersonation
from cloudrepo_server.web.http.request_state import new_request_id
from cloudrepo_server.web.http.responses import reason_phrase
from cloudrepo_server.web.impersonation.certificates import CertificateAuthority
from cloudrepo_server.web.impersonation.proxy_request import (
    MAX_HEAD,
    ProxyRequest,
    parse_proxy_request,
)
from cloudrepo_server.web.impersonation.stream import Stream, open_stream, relay
from cloudrepo_server.web.impersonation.tunnel import Tunnel, TunnelServer
from cloudrepo_server.web.ops.early_responses import EarlyResponses

_HEAD_SECONDS = 10.0
_CONNECT_SECONDS = 10.0
_MAX_CERTIFICATES = 256
_END_OF_HEAD = b"\r\n\r\n"
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_CHALLENGE = 'Proxy-Authenticate: Basic realm="cloudrepo"\r\n'

_NO_LOGIN = "The proxy requires a login"


class Proxy:
    """A listener that forwards each request to this server or to an allowed real host."""

    def __init__(self, organization: Organization) -> None:
        self._testkit = organization.testkit
        self._stall_seconds = organization.limits.stall_seconds
        self._authority: CertificateAuthority | None = None
        self._creating_authority = asyncio.Lock()
        self._contexts: LRUCache[str, ssl.SSLContext] = LRUCache(_MAX_CERTIFICATES)
        self._listener: asyncio.Server | None = None
        self._own_listeners: dict[str, asyncio.Server] = {}
        """The listeners of impersonations with their own proxy, by the id of the impersonation."""
        self._tunnels: TunnelServer | None = None
        self._responses: EarlyResponses | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> tuple[str, int]:
        """The host and port on which the proxy listens.

        Raises:
            InvalidError: the proxy does not listen.
        """
        if self._listener is None:
            raise InvalidError("This server has no proxy.")
        return _address(self._listener)

    def address_for(self, impersonation: Impersonation) -> tuple[str, int]:
        """Return the host and port on which the proxy listens for clients of an impersonation.

        Raises:
            InvalidError: the proxy does not listen.
        """
        own = self._own_listeners.get(impersonation.id)
        return self.address if own is None else _address(own)

    async def authority(self) -> CertificateAuthority:
        """Return the authority that signs certificates, and create it at the first call.

        Raises:
            InvalidError: the extra `tls` is not installed.
        """
        async with self._creating_authority:
            if self._authority is None:
                # In a thread because the creation of keys is slow.
                self._authority = await IMPORTS.run(CertificateAuthority)
        return self._authority

    async def context(self, host: str) -> ssl.SSLContext:
        """Return the TLS context with which a host is impersonated.

        Raises:
            InvalidError: the extra `tls` is not installed, or the host cannot have a certificate.
        """
        context = self._contexts.get(host)
        if context is None:
            # In a thread because the creation of keys is slow.
            authority = await self.authority()
            context = self._contexts[host] = await IMPORTS.run(authority.context, host)
        return context

    async def listen(self, host: str, tunnels: TunnelServer, responses: EarlyResponses) -> None:
        """Listen on a free port.

        Args:
            host: the host name or IP address to listen on.
            tunnels: opens the connections to this server.
            responses: reports the requests that the proxy itself rejects.
        """
        self._tunnels = tunnels
        self._responses = responses
        self._listener = await asyncio.start_server(self._accept, host, 0, limit=MAX_HEAD)

    async def listen_for(self, impersonation: Impersonation) -> None:
        """Listen on a further port, for the clients of one impersonation, until it is deleted.

        Raises:
            InvalidError: the proxy does not listen, or there are too many such proxies.
        """
        host, _ = self.address
        if len(self._own_listeners) >= MAX_PROXY_LISTENERS:
            raise InvalidError(
                f"This server already has {MAX_PROXY_LISTENERS} proxies with their own login: "
                "delete some impersonations first."
            )
        listener = await asyncio.start_server(
            partial(self._accept, impersonation=impersonation), host, 0, limit=MAX_HEAD
        )
        self._own_listeners[impersonation.id] = listener

        def close() -> None:
            self._own_listeners.pop(impersonation.id, None)
            listener.close()

        self._testkit.impersonations.close_with(impersonation, close)

    async def close(self) -> None:
        """Stop listening and close every connection."""
        for listener in (self._listener, *self._own_listeners.values()):
            if listener is not None:
                listener.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        impersonation: Impersonation | None = None,
    ) -> None:
        """Serve a connection. If the listener has only one impersonation, it is `impersonation`."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is handled in a task of its own")
        self._connections.add(task)
        client = Stream(reader, writer, self._stall_seconds)
        try:
            # A connection that a client breaks is not an error of the server.
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await self._serve(client, task, impersonation)
                await client.finish()
        except asyncio.CancelledError:
            # The impersonation was deleted, or the proxy closes. The task ends without the error
            # because asyncio's streams would log it on Python 3.11.
            pass
        finally:
            client.abort()
            self._connections.discard(task)

    async def _serve(
        self, client: Stream, task: asyncio.Task[None], only: Impersonation | None
    ) -> None:
        try:
            async with asyncio.timeout(min(_HEAD_SECONDS, client.stall_seconds)):
                head = await client.reader.readuntil(_END_OF_HEAD)
        except asyncio.LimitOverrunError:
            await self._reject(
                client, None, 431, f"The head of the request is longer than {MAX_HEAD} bytes"
            )
            return
        try:
            request = parse_proxy_request(head)
        except ValueError as error:
            await self._reject(client, None, 400, f"This is not a request to a proxy: {error}")
            return
        set_request_secrets(request.credentials[1:] if request.credentials else ())
        impersonations = self._testkit.impersonations
        if only is not None and only.proxy_login is not None:
            impersonation = only if only.proxy_login.accepts(request.credentials) else None
        else:
            impersonation = impersonations.find(*request.credentials or ("", ""))
        if impersonation is None:
            reason = "The credentials for the proxy are wrong"
            if only is not None:
                reason = _NO_LOGIN if request.credentials is None else reason
                self._record_rejected_login(request, only, reason)
            await self._reject(client, request, 407, reason, _CHALLENGE)
            return
        # The connection is closed when the impersonation or its repository is deleted.
        with impersonations.closing(impersonation, task.cancel):
            if request.is_connect:
                await self._connect(request, impersonation, client)
            else:
                await self._forward(request, impersonation, client)

    def _record_rejected_login(
        self, request: ProxyRequest, impersonation: Impersonation, reason: str
    ) -> None:
        self._testkit.record_blocked_request(
            impersonation,
            request.method,
            request.shown_url,
            host=request.host,
            login_problem=reason,
        )

    async def _connect(
        self, request: ProxyRequest, impersonation: Impersonation, client: Stream
    ) -> None:
        """Connect the client to a real host, or to this server in place of it."""
        if impersonation.allows(request.host, request.port):
            upstream = await self._connect_to_real_host(request, client)
            if upstream is None:
                return
            try:
                await client.send(_ESTABLISHED)
                await relay(client, upstream, idle_seconds=client.stall_seconds)
            finally:
                upstream.abort()
        else:
            try:
                context = await self.context(request.host)
            except InvalidError:
                # Without a certificate the host cannot be impersonated, only blocked.
                entry = self._testkit.record_blocked_request(
                    impersonation,
                    "CONNECT",
                    f"{request.host}:{request.port}",
                    host=request.host,
                )
                await self._reject(client, request, 403, entry.reason)
                return
            upstream = await self._open_tunnel(request, impersonation, context)
            try:
                await client.send(_ESTABLISHED)
                await relay(client, upstream)
            finally:
                upstream.abort()

    async def _forward(
        self, request: ProxyRequest, impersonation: Impersonation, client: Stream
    ) -> None:
        """Forward one request to a real host, or to this server in place of it."""
        # Imported here because most servers never receive a request to the proxy.
        from cloudrepo_server.web.impersonation.forwarding import BodyError, Forwarding

        if impersonation.allows(request.host, request.port):
            upstream = await self._connect_to_real_host(request, client)
            if upstream is None:
                return
            forwarding = Forwarding(client, request, upstream, body_seconds=client.stall_seconds)
        else:
            upstream = await self._open_tunnel(request, impersonation)
            forwarding = Forwarding(client, request, upstream)
        try:
            await forwarding.run()
        except BodyError:
            if forwarding.response_started:
                raise ConnectionAbortedError("the body of the request is not valid") from None
            reason = "The body of the request is not encoded as its headers say"
            await self._reject(client, request, 400, reason)
        finally:
            upstream.abort()

    async def _open_tunnel(
        self,
        request: ProxyRequest,
        impersonation: Impersonation,
        context: ssl.SSLContext | None = None,
    ) -> Stream:
        if self._tunnels is None:
            raise InvalidError("This server has no proxy.")
        return await self._tunnels.open(
            Tunnel(impersonation, request.scheme, request.host, request.port), context
        )

    async def _connect_to_real_host(self, request: ProxyRequest, client: Stream) -> Stream | None:
        """Return a connection, or None if that failed and the client received a 502 response."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await open_stream(
                    request.host, request.port, stall_seconds=client.stall_seconds
                )
        except (OSError, TimeoutError):
            reason = f"Cannot connect to {request.host}, port {request.port}"
            await self._reject(client, request, 502, reason)
            return None

    async def _reject(
        self,
        client: Stream,
        request: ProxyRequest | None,
        status: int,
        reason: str,
        headers: str = "",
    ) -> None:
        """Send a response without a body, and report it; the request is None if it is malformed."""
        method, url = ("UNKNOWN", "/") if request is None else (request.method, request.shown_url)
        reason = reason_phrase(reason)
        if self._responses is not None:
            self._responses.report(method, url, status, reason, request_id=new_request_id())
        await client.send(
            f"HTTP/1.1 {status} {reason}\r\n{headers}"
            "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )


def _address(listener: asyncio.Server) -> tuple[str, int]:
    host, port = listener.sockets[0].getsockname()[:2]
    return str(host), int(port)
