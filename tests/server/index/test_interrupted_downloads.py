"""Downloads whose source fails before or while the body is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from cloudrepo_server.errors import StorageError
from cloudrepo_server.web.http.error_mapping import map_errors
from cloudrepo_server.web.http.request_state import (
    add_request_id,
    create_request_state,
    state_of,
)
from cloudrepo_server.web.http.streamed_response import StreamedResponse, send_if_streamed

CHUNK = b"x" * 1000


async def failing_source(chunks: int, closed: list[bool]) -> AsyncIterator[bytes]:
    try:
        for _ in range(chunks):
            yield CHUNK
        raise StorageError("The storage failed.")
    finally:
        closed.append(True)


def application(chunks: int, closed: list[bool], sent: list[int]) -> web.Application:
    async def download(request: web.Request) -> web.StreamResponse:
        headers = {"Content-Length": str(10 * len(CHUNK))}
        response = await StreamedResponse.open(200, headers, failing_source(chunks, closed))
        try:
            return await send_if_streamed(request, response)
        finally:
            sent.append(state_of(request).details.bytes_sent)

    app = web.Application(
        middlewares=[create_request_state(behind_proxy=False), map_errors(realm="example")]
    )
    app.on_response_prepare.append(add_request_id)
    app.router.add_get("/", download)
    return app


def test_a_failure_before_the_first_chunk_is_an_error_response() -> None:
    closed: list[bool] = []

    async def scenario() -> tuple[int, str]:
        async with TestClient(TestServer(application(0, closed, []))) as client:
            response = await client.get("/")
            return response.status, await response.text()

    status, text = asyncio.run(scenario())
    assert status == 503
    assert "The storage failed." in text
    assert closed == [True]


def test_a_failure_within_the_body_closes_the_connection() -> None:
    closed: list[bool] = []
    sent: list[int] = []

    async def scenario() -> bytes:
        async with TestClient(TestServer(application(3, closed, sent))) as client:
            response = await client.get("/")
            assert response.status == 200
            received = await response.content.readexactly(3 * len(CHUNK))
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.content.read(1)
            return received

    # An error response within the body would look like content to the client.
    assert asyncio.run(scenario()) == CHUNK * 3
    assert sent == [3 * len(CHUNK)]
    assert closed == [True]
