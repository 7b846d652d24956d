"""A published file, or a part of it, as an answer."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from aiohttp import web

from cloudrepo_server.domain.stored_file import StoredFile
from cloudrepo_server.testkit.journal import Entry

# A name may come to hold other bytes, so a client asks each time and is told 304.
_HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-cache",
    "Content-Type": "application/octet-stream",
    "Vary": "Authorization",
}
_CHUNK = 1 << 18


async def file_response(
    request: web.BaseRequest,
    content: StoredFile,
    entry: Entry,
    *,
    whole: bool = False,
    further: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """The bytes, the range of it that was asked for, or that nothing changed.

    `whole` gives them as one body, which is not sent yet. `further` are headers to add.

    Raises:
        FileNotFoundError: they are gone; nothing was answered yet.
    """
    headers = {**_HEADERS, **(further or {}), "ETag": f'"{content.sha256}"'}
    if not_modified(request, content.sha256):
        return web.Response(status=304, headers=headers)
    start, end, status = _range(request, content.size, content.sha256)
    if status == web.HTTPRequestRangeNotSatisfiable.status_code:
        return web.Response(
            status=status, headers={**headers, "Content-Range": f"bytes */{content.size}"}
        )
    if status == web.HTTPPartialContent.status_code:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    if request.method == "HEAD":
        headers["Content-Length"] = str(end - start)
        return web.Response(status=status, headers=headers)
    if content.is_small or whole:
        data = await content.read()
        return web.Response(status=status, headers=headers, body=data[start:end])
    elsewhere = await content.url()
    if elsewhere is not None:
        # Its URL opens it to whoever has it, for a while: nobody is to keep it.
        return web.Response(
            status=307, headers={"Location": elsewhere, "Cache-Control": "no-store"}
        )
    headers["Content-Length"] = str(end - start)
    answer = web.StreamResponse(status=status, headers=headers)
    await _send(request, answer, content, start=start, end=end, entry=entry)
    return answer


def not_modified(request: web.BaseRequest, tag: str) -> bool:
    """Whether the client has what that entity tag stands for (RFC 9110, 13.1.2)."""
    known = request.if_none_match
    if known is None:
        return False
    return any(each.value in (tag, "*") for each in known)


def _range(request: web.BaseRequest, size: int, sha256: str) -> tuple[int, int, int]:
    whole = 0, size, 200
    asked = request.headers.get("Range")
    condition = request.headers.get("If-Range")
    if asked is None or (condition is not None and condition != f'"{sha256}"'):
        return whole
    try:
        span = request.http_range
    except ValueError:
        # Several ranges, another unit or nonsense: the whole file (RFC 9110, 14.2).
        return whole
    start = 0 if span.start is None else span.start
    if start < 0:
        start = max(0, size + start)
    elif asked.replace(" ", "").endswith("=-0"):
        start = size
    end = size if span.stop is None else min(span.stop, size)
    return (0, 0, 416) if start >= size else (start, end, 206)


async def _send(
    request: web.BaseRequest,
    answer: web.StreamResponse,
    content: StoredFile,
    *,
    start: int,
    end: int,
    entry: Entry,
) -> None:
    path = content.path
    if path is None:
        chunks = content.stream(start, end)
        first = await anext(chunks)
        await _begin(request, answer, entry)
        await _write(answer, first, entry)
        async for chunk in chunks:
            await _write(answer, chunk, entry)
    else:
        with contextlib.closing(await asyncio.to_thread(_open_at, path, start)) as file:
            await _begin(request, answer, entry)
            left = end - start
            while left and (chunk := await asyncio.to_thread(file.read, min(_CHUNK, left))):
                left -= len(chunk)
                await _write(answer, chunk, entry)
    await answer.write_eof()


async def _begin(request: web.BaseRequest, answer: web.StreamResponse, entry: Entry) -> None:
    entry.status = answer.status
    entry.reason = answer.reason
    await answer.prepare(request)


async def _write(answer: web.StreamResponse, chunk: bytes, entry: Entry) -> None:
    entry.bytes_sent += len(chunk)
    await answer.write(chunk)


def _open_at(path: Path, start: int) -> IO[bytes]:
    file = path.open("rb", buffering=0)
    file.seek(start)
    return file
