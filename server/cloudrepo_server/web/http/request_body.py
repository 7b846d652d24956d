"""Reads request bodies, with a timeout and a size limit."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec
from aiohttp import web

from cloudrepo_server.errors import InvalidError, StalledError, TooLargeError
from cloudrepo_server.web.http.expect import send_continue
from cloudrepo_server.web.http.request_state import LIMITS, state_of

# The maximum size of a JSON body, in bytes.
_MAX_BODY = 1 << 20

B = TypeVar("B")


async def body_chunks(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the body in chunks as they arrive.

    If the client waits for `100 Continue`, send it first.

    Raises:
        StalledError: the client sent nothing for too long.
    """
    state = state_of(request)
    if state.awaits_continue:
        state.awaits_continue = False
        await send_continue(request)
    seconds = request.app[LIMITS].stall_seconds
    while True:
        # Data that has already arrived needs no timeout.
        chunk = request.content.read_nowait()
        try:
            if not chunk:
                async with asyncio.timeout(seconds):
                    chunk = await request.content.readany()
        except TimeoutError:
            raise StalledError(
                f"The upload timed out: no data arrived for {seconds:g} seconds."
            ) from None
        if not chunk:
            return
        yield chunk


async def read_bytes(request: web.Request, *, limit: int = _MAX_BODY) -> bytes:
    """Return the whole body.

    Raises:
        TooLargeError: the body is larger than the limit.
    """
    body = bytearray()
    async for chunk in body_chunks(request):
        body += chunk
        if len(body) > limit:
            raise TooLargeError(f"The request body is larger than {limit} bytes.")
    return bytes(body)


async def read_json(request: web.Request, type_: type[B]) -> B:
    """Return the JSON body, decoded to a type.

    Raises:
        InvalidError: the body is not JSON, or does not match the type.
        TooLargeError: the body is larger than 1 MiB.
    """
    body = await read_bytes(request)
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"The request body is invalid: {error}.") from error
