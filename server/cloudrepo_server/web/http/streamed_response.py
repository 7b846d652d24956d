"""Responses whose bodies are read while they are sent."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Self, cast

from aiohttp import web

from cloudrepo_server.web.http.request_state import state_of


class StreamedResponse(web.StreamResponse):
    """A response whose body is read in chunks while it is sent.

    Nothing is sent before `send`, so a caller may still read the body and change it.
    """

    def __init__(
        self, status: int, headers: Mapping[str, str], chunks: AsyncGenerator[bytes, None]
    ) -> None:
        super().__init__(status=status, headers=headers)
        self._chunks = chunks
        self._first = b""

    @classmethod
    async def open(
        cls, status: int, headers: Mapping[str, str], chunks: AsyncIterator[bytes]
    ) -> Self:
        """Return the response once its first chunk was read.

        An error that occurs before the first chunk is raised here, where another response is still
        possible.
        """
        response = cls(status, headers, cast("AsyncGenerator[bytes, None]", chunks))
        response._first = await anext(chunks, b"")
        return response

    @property
    def is_empty(self) -> bool:
        """Whether the response has no body."""
        return not self._first

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body; the response cannot be sent afterwards."""
        async with contextlib.aclosing(self._chunks):
            yield self._first
            async for chunk in self._chunks:
                yield chunk

    async def discard(self) -> None:
        """Close what the body is read from, without sending the response."""
        await self._chunks.aclose()

    async def send(self, request: web.BaseRequest) -> None:
        """Send the response, and count its bytes in the request's details."""
        details = state_of(request).details
        try:
            await self.prepare(request)
            details.bytes_sent += len(self._first)
            await self.write(self._first)
            async for chunk in self._chunks:
                details.bytes_sent += len(chunk)
                await self.write(chunk)
            await self.write_eof()
        finally:
            await self._chunks.aclose()


async def send_if_streamed(
    request: web.BaseRequest, response: web.StreamResponse
) -> web.StreamResponse:
    """Return a response; send it first if it is a `StreamedResponse` that is not sent yet."""
    if isinstance(response, StreamedResponse) and not response.prepared:
        await response.send(request)
    return response
