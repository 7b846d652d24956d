"""Sends the head of a response, its status line and headers, one byte at a time."""

import asyncio

from aiohttp import web

from cloudrepo_server.testkit.fault_kinds import SlowHeaders

_END_OF_HEAD = b"\r\n\r\n"


class _Recorder(asyncio.Transport):
    """A transport that sends nothing, and records what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Record data."""
        self.written += data

    def is_closing(self) -> bool:
        """Return False: data can be written at any time."""
        return False


async def prepare(
    request: web.BaseRequest, response: web.StreamResponse, slow: SlowHeaders | None
) -> None:
    """Prepare a response; with a fault, send its head slowly.

    Raises:
        ConnectionResetError: the client disconnected.
    """
    if slow is None:
        await response.prepare(request)
    else:
        await _send_slowly(request, response, slow.seconds)


async def _send_slowly(
    request: web.BaseRequest, response: web.StreamResponse, seconds: float
) -> None:
    connection = request.protocol
    transport, recorder = connection.transport, _Recorder()
    connection.transport = recorder
    try:
        await response.prepare(request)
        if isinstance(response, web.Response):
            # A `Response` writes its head together with its body.
            await response.write_eof()
    finally:
        if connection.transport is recorder:
            connection.transport = transport
    head, end, body = bytes(recorder.written).partition(_END_OF_HEAD)
    head += end
    for position in range(len(head)):
        _send(transport, head[position : position + 1])
        await asyncio.sleep(seconds / len(head))
    if body:
        _send(transport, body)


def _send(transport: asyncio.Transport | None, data: bytes) -> None:
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client disconnected")
    transport.write(data)
