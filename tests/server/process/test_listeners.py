"""A server that stops accepting connections serves all connections that clients have opened."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import socket
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from cloudrepo_server.process.listeners import Listeners
from cloudrepo_server.web.impersonation.certificates import CertificateAuthority
from tests.support.raw import SECONDS, request

Loop = Callable[[], asyncio.AbstractEventLoop]


def event_loops() -> list[Loop]:
    """Return asyncio's event loop, and that of the extra `uvloop` if it is installed."""
    loops: list[Loop] = [asyncio.new_event_loop]
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop  # noqa: PLC0415 (not on every system)

        loops.append(uvloop.new_event_loop)
    return loops


async def respond(_: web.Request) -> web.Response:
    return web.Response(text="served")


@contextlib.asynccontextmanager
async def running_listeners() -> AsyncIterator[tuple[Listeners, str]]:
    """Listen for HTTP, and yield the listeners and the URL."""
    application = web.Application()
    application.router.add_get("/", respond)
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
