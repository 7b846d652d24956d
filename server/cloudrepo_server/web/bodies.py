"""A request's small body, read whole."""

from typing import TypeVar

import msgspec
from aiohttp import web

from cloudrepo_server.errors import InvalidError, TooLargeError

MAX_BODY = 1 << 20

B = TypeVar("B")


async def read_bytes(request: web.Request) -> bytes:
    """The body's bytes.

    Raises:
        TooLargeError: they are more than any body of the API needs.
    """
    body = bytearray()
    async for chunk in request.content.iter_any():
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
