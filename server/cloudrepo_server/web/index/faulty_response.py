"""The faults in what a request returns: another status, a changed body, a broken connection."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import NoReturn

from aiohttp import web

from cloudrepo_server.testkit import fault_kinds as kinds
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import error_response
from cloudrepo_server.web.http.streamed_response import StreamedResponse
from cloudrepo_server.web.index.slow_head import prepare
from cloudrepo_server.web.ops.recording import ConnectionResetOnPurposeError

_CHUNK = 1 << 16
_SIGN_IN_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Sign in</title></head>
<body><h1>Sign in</h1><p>Your session has expired. <a href="/sign-in">Sign in</a> again.</p></body>
</html>
"""
_DRIP_SECONDS = 0.05


def status_response(fault: kinds.Status) -> web.Response:
    """Return the response of a `status` fault."""
    response = error_response(fault.status, fault.reason or f"Fault: status {fault.status}")
    if fault.reason is None:
        response.set_status(fault.status)
    response.headers.update(fault.headers)
    return response


def redirect_response(fault: kinds.Redirect) -> web.Response:
    """Return the response of a `redirect` fault."""
    return web.Response(status=fault.status, headers={"Location": fault.location})


def html_error_page(fault: kinds.HtmlErrorPage) -> web.Response:
    """Return the response of an `html-error-page` fault."""
    return web.Response(status=fault.status, text=_SIGN_IN_PAGE, content_type="text/html")


def wrong_range(response: web.StreamResponse, *, has_body: bool) -> web.Response:
    """Return a response with a wrong range, in place of the response to a range request."""
    headers = {**response.headers, "Content-Range": "bytes 0-0/*"}
    headers.pop("Content-Length", None)
    return web.Response(status=206, headers=headers, body=b"\0" if has_body else None)


async def send_and_close(request: web.Request, response: web.StreamResponse) -> None:
    """Send a response, and close its connection, although the response kept it alive."""
    await response.prepare(request)
    if isinstance(response, StreamedResponse):
        await response.send(request)
    else:
        await response.write_eof()
    request.protocol.close()


def reset_connection(request: web.BaseRequest) -> NoReturn:
    """Reset the connection that a request came on.

    Raises:
        ConnectionResetOnPurposeError: always.
    """
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):
                # Without lingering, closing the socket sends RST rather than FIN.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    raise ConnectionResetOnPurposeError("the connection was reset by a fault")


async def send_faulty_body(
    request: web.Request,
    response: web.StreamResponse,
    body: AsyncIterator[bytes],
    size: int | None,
    *,
    corrupt: kinds.Corrupt | None,
    truncate: kinds.Truncate | None,
    drip: kinds.Drip | None,
    reset: kinds.Reset | None,
    slow: kinds.SlowHeaders | None,
) -> web.StreamResponse:
    """Send a response with its body changed by the faults that are not None.

    Without the size of the body, its first byte is corrupted, and a reset follows the first chunk.

    Raises:
        ConnectionResetError: a fault ended the connection.
    """
    corrupt_at = None if corrupt is None else (size or 0) // 2
    end = None if truncate is None else truncate.keep
    if reset is not None and reset.when == "during":
        half = 1 if size is None else size // 2
        end = half if end is None else min(end, half)
    sent = web.StreamResponse(
        status=response.status, reason=response.reason, headers=response.headers
    )
    if size is not None:
        sent.content_length = size
    details = state_of(request).details
    await prepare(request, sent, slow)
    position = 0
    truncated = False
    async for part in _parts(body, drip):
        chunk = part
        if corrupt_at is not None and 0 <= corrupt_at - position < len(chunk):
            at = corrupt_at - position
            chunk = chunk[:at] + bytes([chunk[at] ^ 0xFF]) + chunk[at + 1 :]
        if end is not None and position + len(chunk) > end:
            chunk = chunk[: end - position]
            truncated = True
        position += len(chunk)
        details.bytes_sent += len(chunk)
        await sent.write(chunk)
        if truncated:
            break
    if reset is not None:
        reset_connection(request)
    if truncated:
        if request.transport is not None:
            request.transport.close()
        raise ConnectionResetError("the response was truncated by a fault")
    await sent.write_eof()
    return sent


async def _parts(body: AsyncIterator[bytes], drip: kinds.Drip | None) -> AsyncIterator[bytes]:
    size = _CHUNK if drip is None else max(1, int(drip.bytes_per_second * _DRIP_SECONDS))
    async for chunk in body:
        for start in range(0, len(chunk), size):
            part = chunk[start : start + size]
            yield part
            if drip is not None:
                await asyncio.sleep(len(part) / drip.bytes_per_second)
