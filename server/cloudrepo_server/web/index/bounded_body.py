"""Reads the body of an upstream's response, with a limit before and after decompression."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from cloudrepo_server.errors import UpstreamError
from cloudrepo_server.limits import REMOTE_PAGE_BYTES

if TYPE_CHECKING:
    import aiohttp

_GZIP = zlib.MAX_WBITS | 16


async def read_bounded(response: aiohttp.ClientResponse) -> bytearray:
    """Return the body of a response that aiohttp does not decompress.

    Raises:
        UpstreamError: it is too large, or is not compressed as its headers say.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise UpstreamError("The upstream's page has a content encoding that was not requested.")
    unzip = zlib.decompressobj(_GZIP) if encoding.endswith("gzip") else None
    body, received = bytearray(), 0
    async for chunk in response.content.iter_any():
        received += len(chunk)
        try:
            # One byte more than the limit shows that the body is too large.
            room = REMOTE_PAGE_BYTES + 1 - len(body)
            body += chunk if unzip is None else unzip.decompress(chunk, room)
        except zlib.error as error:
            raise UpstreamError("The upstream's page is not valid gzip.") from error
        if max(received, len(body)) > REMOTE_PAGE_BYTES:
            raise UpstreamError(
                f"The upstream's page is too large: the limit is {REMOTE_PAGE_BYTES} bytes."
            )
    if unzip is not None and not unzip.eof:
        raise UpstreamError("The upstream's page ended early.")
    return body
