"""The faults in what a request returns: another status, a changed body, a broken connection."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import NoReturn

from aiohttp import web

from cloudrepo_server.testkit import faults as kinds
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import error_response

_CHUNK = 1 << 16
_DRIP_SECONDS = 0.05


class ConnectionResetByFaultError(ConnectionResetError):
    """A fault reset the connection."""

    def __init__(self) -> None:
        super().__init__("the connection was reset by a fault")


def status_response(fault: kinds.Status) -> web.Response:
    """Return the response of a `status` fault."""
    response = error_response(fault.status, fault.reason or f"Fault: status {fault.status}")
    if fault.reason is None:
        response.set_status(fault.status)
    response.headers.update(fault.headers)
    return response


def reset_connection(request: web.BaseRequest) -> NoReturn:
    """Reset the connection that a request came on.

    Raises:
        ConnectionResetByFaultError: always.
    """
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):
                # Without lingering, closing the socket sends RST rather than FIN.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    raise ConnectionResetByFaultError


async def send_faulty_body(
    request: web.Request,
    response: web.StreamResponse,
    body: bytes,
    *,
    corrupt: kinds.Corrupt | None,
    truncate: kinds.Truncate | None,
    drip: kinds.Drip | None,
    reset: kinds.Reset | None,
) -> web.StreamResponse:
    """Send a response with its body changed by the faults that are not None.

    Raises:
        ConnectionResetError: a fault ended the connection.
    """
    end = len(body)
    if corrupt is not None:
        at = end // 2
        body = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
    if truncate is not None:
        end = min(truncate.keep, end)
    if reset is not None and reset.when == "during":
        end //= 2
    sent = web.StreamResponse(
        status=response.status, reason=response.reason, headers=response.headers
    )
    sent.content_length = len(body)
    details = state_of(request).details
    await sent.prepare(request)
    async for chunk in _chunks(body[:end], drip):
        details.bytes_sent += len(chunk)
        await sent.write(chunk)
    if reset is not None:
        reset_connection(request)
    if end < len(body):
        if request.transport is not None:
            request.transport.close()
        raise ConnectionResetError("the response was truncated by a fault")
    await sent.write_eof()
    return sent


async def _chunks(body: bytes, drip: kinds.Drip | None) -> AsyncIterator[bytes]:
    size = _CHUNK if drip is None else max(1, int(drip.bytes_per_second * _DRIP_SECONDS))
    for start in range(0, len(body), size):
        chunk = body[start : start + size]
        yield chunk
        if drip is not None:
            await asyncio.sleep(len(chunk) / drip.bytes_per_second)
