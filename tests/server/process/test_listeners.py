"""A server that stops accepting connections serves all connections that clients have opened."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.process import shutdown
from cloudrepo_server.process.listeners import Listeners
from cloudrepo_server.process.shutdown import Shutdown, finish_requests
from cloudrepo_server.web.http.in_flight import InFlightRequests, track_in_flight
from cloudrepo_server.web.impersonation.certificates import CertificateAuthority
from tests.support.platforms import needs_posix
from tests.support.raw import SECONDS, request

Loop = Callable[[], asyncio.AbstractEventLoop]


def event_loops() -> list[Loop]:
    """Return asyncio's event loop, and that of the extra `uvloop` if it is installed."""
    loops: list[Loop] = [asyncio.new_event_loop]
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop  # noqa: PLC0415 (not on every system)

        loops.append(uvloop.new_event_loop)
    return loops


NEEDS_BACKLOG = needs_posix("event loop that accepts waiting connections while a listener closes")

# More bytes than the buffers of the sockets hold.
LARGE = 64 << 20


async def respond(_: web.Request) -> web.Response:
    return web.Response(text="served")


async def respond_with_a_large_body(_: web.Request) -> web.Response:
    return web.Response(body=bytes(LARGE))


@contextlib.asynccontextmanager
async def running_listeners(*middlewares: Middleware) -> AsyncIterator[tuple[Listeners, str]]:
    """Listen for HTTP, and yield the listeners and the URL."""
    application = web.Application(middlewares=middlewares)
    application.router.add_get("/", respond)
    application.router.add_get("/large", respond_with_a_large_body)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    listeners = Listeners(runner, handshake_seconds=10 * SECONDS)
    try:
        yield listeners, await listeners.listen("127.0.0.1")
    finally:
        await listeners.close()
        await runner.cleanup()


def connect(url: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), SECONDS)
    client.setblocking(False)  # noqa: FBT003 (the parameter is positional only)
    return client


async def response_on(client: socket.socket) -> bytes:
    """Send a request, and return the first line of the response."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, request("GET / HTTP/1.1"))
    async with asyncio.timeout(SECONDS):
        response = await loop.sock_recv(client, 1 << 16)
    return response.partition(b"\r\n")[0]


@NEEDS_BACKLOG
@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("loop", event_loops())
def test_a_connection_is_served_although_the_listener_closes_while_it_is_accepted(
    loop: Loop, steps: int
) -> None:
    async def stop_listening_after_steps() -> None:
        async with running_listeners() as (listeners, url):
            with connect(url) as client:
                for _ in range(steps):
                    await asyncio.sleep(0)
                await listeners.close()
                assert await response_on(client) == b"HTTP/1.1 200 OK"

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(stop_listening_after_steps())


@NEEDS_BACKLOG
@pytest.mark.parametrize("loop", event_loops())
def test_a_client_that_delays_its_tls_handshake_does_not_delay_other_clients(loop: Loop) -> None:
    async def stop_listening() -> None:
        context = CertificateAuthority().context("127.0.0.1")
        async with running_listeners() as (listeners, url):
            tls_url = await listeners.listen("127.0.0.1", context=context)
            with connect(tls_url), connect(url) as client:
                async with asyncio.timeout(SECONDS):
                    await listeners.close()
                assert await response_on(client) == b"HTTP/1.1 200 OK"

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(stop_listening())


@NEEDS_BACKLOG
@pytest.mark.parametrize("loop", event_loops())
def test_a_shutdown_waits_for_the_tls_handshakes_of_the_accept_backlog(
    monkeypatch: pytest.MonkeyPatch, loop: Loop
) -> None:
    monkeypatch.setattr(shutdown, "_ARRIVAL_SECONDS", 0.0)
    monkeypatch.setattr(shutdown, "_FIRST_REQUEST_SECONDS", SECONDS)

    handled: list[str] = []

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        handled.append(request.path)
        return await handler(request)

    async def first_line(client: socket.socket, context: ssl.SSLContext) -> bytes:
        reader, writer = await asyncio.open_connection(
            sock=client, ssl=context, server_hostname="127.0.0.1"
        )
        writer.write(request("GET / HTTP/1.1"))
        line = await reader.readline()
        writer.close()
        return line

    async def shut_down() -> None:
        authority, in_flight = CertificateAuthority(), InFlightRequests()
        trusting = ssl.create_default_context(cadata=authority.pem)
        async with running_listeners(track_in_flight(in_flight), record) as (listeners, _):
            url = await listeners.listen("127.0.0.1", context=authority.context("127.0.0.1"))
            with connect(url) as client:
                await listeners.close()
                response = asyncio.ensure_future(first_line(client, trusting))
                await finish_requests(listeners, in_flight, Shutdown(), drain=0.0, grace=SECONDS)
                assert handled == ["/"]
                assert await response == b"HTTP/1.1 200 OK\r\n"

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(shut_down())


@pytest.mark.parametrize("loop", event_loops())
def test_a_shutdown_waits_until_clients_have_received_their_responses(
    monkeypatch: pytest.MonkeyPatch, loop: Loop
) -> None:
    monkeypatch.setattr(shutdown, "_ARRIVAL_SECONDS", 0.0)

    async def shut_down() -> None:
        in_flight = InFlightRequests()
        async with running_listeners(track_in_flight(in_flight)) as (listeners, url):
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
            writer.write(request("GET /large HTTP/1.1"))
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            await reader.readuntil(b"\r\n\r\n")
            assert not in_flight
            was_sending = listeners.is_sending
            assert was_sending
            reading = asyncio.ensure_future(reader.readexactly(LARGE))
            await finish_requests(listeners, in_flight, Shutdown(), drain=0.0, grace=SECONDS)
            assert not listeners.is_sending
            assert len(await reading) == LARGE
            writer.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(shut_down())
