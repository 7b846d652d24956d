"""A request's small body, read whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec
from aiohttp import web

from cloudrepo_server.errors import InvalidError, StalledError, TooLargeError
from cloudrepo_server.web.http.request_state import LIMITS

MAX_BODY = 1 << 20

B = TypeVar("B")


async def body_chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body's bytes as they come.

    Raises:
        StalledError: none came for long.
    """
    seconds = request.app[LIMITS].stall_seconds
    while True:
        # What is there already needs no clock.
        chunk = request.content.read_nowait()
        try:
            if not chunk:
                async with asyncio.timeout(seconds):
                    chunk = await request.content.readany()
        except TimeoutError:
            raise StalledError(f"Nothing more of the body came for {seconds:g} seconds.") from None
        if not chunk:
            return
        yield chunk


async def read_bytes(request: web.Request) -> bytes:
    """The body's bytes.

    Raises:
        TooLargeError: they are more than any body of the API needs.
    """
    body = bytearray()
    async for chunk in body_chunks(request):
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLargeError(f"The body has more than {MAX_BODY} bytes.")
    return bytes(body)


async def read_json(request: web.Request, type_: type[B]) -> B:
    """The body as its type.

    Raises:
        InvalidError: it is not JSON, or not of that type.
        TooLargeError: it is too long.
    """
    body = await read_bytes(request)
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"The body cannot be used: {error}.") from error
