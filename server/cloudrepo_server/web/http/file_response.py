"""Responses with a stored file, or a range of it."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import IO

from aiohttp import web

from cloudrepo_server.domain.stored_file import StoredFile
from cloudrepo_server.pools import FILES
from cloudrepo_server.web.http.streamed_response import StreamedResponse

# A file may be replaced under the same name, so clients must revalidate their copies.
_HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-cache",
    "Content-Type": "application/octet-stream",
    "Vary": "Authorization",
}
_CHUNK = 1 << 20


async def file_response(
    request: web.BaseRequest, file: StoredFile, *, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Return the response with a file: all of it, the requested range, or 304 Not Modified.

    Args:
        request: its headers say which range is requested and what the client has already.
        file: the file.
        headers: headers to add.

    Raises:
        FileNotFoundError: the file was deleted.
        StorageError: the store failed.
    """
    sent = {**_HEADERS, **(headers or {}), "ETag": f'"{file.sha256}"'}
    if not_modified(request, file.sha256):
        return web.Response(status=304, headers=sent)
    start, end, status = _range(request, file.size, file.sha256)
    if status == web.HTTPRequestRangeNotSatisfiable.status_code:
        return web.Response(
            status=status, headers={**sent, "Content-Range": f"bytes */{file.size}"}
        )
    if status == web.HTTPPartialContent.status_code:
        sent["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    if request.method == "HEAD":
        sent["Content-Length"] = str(end - start)
        return web.Response(status=status, headers=sent)
    if file.is_small:
        data = await file.read()
        return web.Response(status=status, headers=sent, body=data[start:end])
    url = await file.url()
    if url is not None:
        # Anyone who has the presigned URL can download the file, so no cache may keep it.
        return web.Response(status=307, headers={"Location": url, "Cache-Control": "no-store"})
    sent["Content-Length"] = str(end - start)
    chunks = _read_path(file.path, start, end) if file.path else file.stream(start, end)
    return await StreamedResponse.open(status, sent, chunks)


def not_modified(request: web.BaseRequest, tag: str) -> bool:
    """Return whether the client has the content with this entity tag (RFC 9110, 13.1.2)."""
    known = request.if_none_match
    if known is None:
        return False
    return any(each.value in (tag, "*") for each in known)


def _range(request: web.BaseRequest, size: int, sha256: str) -> tuple[int, int, int]:
    whole_file = 0, size, 200
    requested = request.headers.get("Range")
    condition = request.headers.get("If-Range")
    if requested is None or (condition is not None and condition != f'"{sha256}"'):
        return whole_file
    try:
        span = request.http_range
    except ValueError:
        # Several ranges, another unit or a syntax error: send the whole file (RFC 9110, 14.2).
        return whole_file
    start = 0 if span.start is None else span.start
    if start < 0:
        start = max(0, size + start)
    elif requested.replace(" ", "").endswith("=-0"):
        start = size
    end = size if span.stop is None else min(span.stop, size)
    return (0, 0, 416) if start >= size else (start, end, 206)


async def _read_path(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    with contextlib.closing(await FILES.run(_open_at, path, start)) as file:
        left = end - start
        while left and (chunk := await FILES.run(file.read, min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _open_at(path: Path, start: int) -> IO[bytes]:
    file = path.open("rb", buffering=0)
    file.seek(start)
    return file
