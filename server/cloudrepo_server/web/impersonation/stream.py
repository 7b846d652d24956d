"""Streams: the connections that the proxy reads and writes."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

CHUNK = 64 << 10


class Stream(msgspec.Struct, frozen=True):
    """Both directions of one connection, whose peer may stall for a limited time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    stall_seconds: float

    async def send(self, data: bytes) -> None:
        """Send data, and wait until the connection accepts more.

        Raises:
            TimeoutError: the peer reads nothing.
            ConnectionError: the connection was closed.
        """
        self.writer.write(data)
        async with asyncio.timeout(self.stall_seconds):
            await self.writer.drain()

    async def finish(self) -> None:
        """Close the connection after the peer received everything, or stalled.

        First reads what the peer still sends. Closing a socket with unread data would reset the
        connection, and the peer could lose the end of the response.

        Raises:
            TimeoutError: the peer stalled; the connection is still open.
        """
        async with asyncio.timeout(self.stall_seconds):
            # uvloop raises RuntimeError for a transport that the client has closed.
            if not self.writer.transport.is_closing() and self.writer.can_write_eof():
                self.writer.write_eof()
                await discard(self.reader)
            self.writer.close()
            await self.writer.wait_closed()

    def abort(self) -> None:
        """Close the connection immediately; data that was not sent yet is lost."""
        self.writer.transport.abort()


async def open_stream(host: str, port: int, *, stall_seconds: float) -> Stream:
    """Connect to a host.

    Raises:
        OSError: the connection failed.
    """
    return Stream(*await asyncio.open_connection(host, port), stall_seconds)


async def discard(reader: asyncio.StreamReader) -> None:
    """Read until the peer closes its sending side."""
    while await reader.read(CHUNK):
        pass


async def run_until_first(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run coroutines until one of them ends, and cancel the others.

    If several end at the same time, the exception of the first one in order is raised.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def relay(client: Stream, upstream: Stream, *, idle_seconds: float | None = None) -> None:
    """Copy data in both directions until either side closes its connection.

    Args:
        client: the client's connection.
        upstream: the connection to the server.
        idle_seconds: how long neither side may send anything; None means no limit.

    Raises:
        TimeoutError: one side reads nothing, or neither side sends anything.
    """
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(idle_seconds) as limit:

            def note_data() -> None:
                if idle_seconds is not None:
                    limit.reschedule(loop.time() + idle_seconds)

            await run_until_first(
                _copy(upstream, client, note_data), _copy(client, upstream, note_data)
            )


async def _copy(source: Stream, target: Stream, note_data: Callable[[], None]) -> None:
    while data := await source.reader.read(CHUNK):
        note_data()
        await target.send(data)
