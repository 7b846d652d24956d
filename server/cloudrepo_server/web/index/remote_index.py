"""Other indexes as upstreams: reads their project pages and forwards their files.

An upstream is not trusted. Its pages are parsed into a bounded type (`specs/remote_page.py`). Its
URLs and redirects may lead only to its own origin, and to those in the setting
`upstream_file_origins`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Sequence

import aiohttp
from aiohttp import web
from yarl import URL

from cloudrepo_server.errors import (
    InvalidError,
    NotFoundError,
    UpstreamError,
    UpstreamLoopError,
)
from cloudrepo_server.limits import MAX_HOPS, REMOTE_PAGE_SECONDS, REMOTE_REDIRECTS
from cloudrepo_server.models import RemoteFile, UpstreamProject
from cloudrepo_server.pools import PAGES
from cloudrepo_server.specs.filenames import check_project_name, parse_filename
from cloudrepo_server.specs.remote_page import PageFile, read_project_page
from cloudrepo_server.specs.simple_api import HTML, HTML_V1, JSON_V1
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.web.http.streamed_response import StreamedResponse
from cloudrepo_server.web.index.bounded_body import read_bounded

_ACCEPT = f"{JSON_V1}, {HTML_V1};q=0.2, {HTML};q=0.01"
# The ids of the repositories that a request passed on its way, so that loops are found.
_VIA = "X-CloudRepo-Via"
_LOOP_DETECTED = 508
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
_FORWARDED_REQUEST_HEADERS = ("Range", "If-Range", "If-None-Match")
# Not the content type: a page of another index must not be shown as one of this server.
_FORWARDED_RESPONSE_HEADERS = (
    "Content-Length",
    "Content-Range",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
)
_FILE_TYPE = "application/octet-stream"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FORWARDED_STATUSES = frozenset({200, 206, 304, 416})
_NO_BODY = frozenset({304, 416})
_MISSING = frozenset({404, 410})
_CHUNK = 1 << 18
_FILES_AT_ONCE = 500
# Each page may take REMOTE_PAGE_BYTES of memory. Files are streamed. Their number is not
# limited, because clients that stop reading could then delay the pages of other clients.
_PAGES_AT_ONCE = 20


def read_via(request: web.Request) -> tuple[str, ...]:
    """Return the ids of the repositories that a request passed on its way to this one."""
    return tuple(request.headers.get(_VIA, "").split(maxsplit=MAX_HOPS))


class UpstreamClient:
    """An HTTP client for other indexes, which connects at the first request."""

    def __init__(self) -> None:
        self._sessions: dict[int, aiohttp.ClientSession] = {}
        """The sessions by the number of connections to each host; 0 means no limit."""

    def connect(self, url: str, file_origins: Collection[str], via: Sequence[str]) -> RemoteIndex:
        """Return the index at a URL.

        Args:
            url: the URL, with credentials if the index needs them.
            file_origins: the further origins to which its file URLs and redirects may lead.
            via: the ids of the repositories that the request passed.
        """
        return RemoteIndex(self, url, file_origins, via)

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()

    async def get(
        self,
        url: URL,
        *,
        headers: dict[str, str],
        origins: Collection[str],
        connections: int = 0,
    ) -> aiohttp.ClientResponse:
        """Send a GET request; return the response, whose body is not decompressed.

        Args:
            url: the URL; its credentials are sent to its own origin only.
            headers: the headers of the request.
            origins: the origins to which redirects may lead, besides the origin of the URL.
            connections: the number of such requests to one host at a time; 0 means no limit.

        Raises:
            UpstreamError: the other index did not respond, or redirects to another origin.
        """
        session = self._session(connections)
        target = url
        try:
            for _ in range(REMOTE_REDIRECTS + 1):
                response = await session.get(target, headers=headers, allow_redirects=False)
                if response.status not in _REDIRECTS:
                    return response
                response.release()
                location = URL(response.headers.get("Location", ""), encoded=True)
                target = _allowed_url(response.url.join(location), url, origins, "redirects")
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise _unavailable(url) from error
        raise UpstreamError(f"The upstream redirected more than {REMOTE_REDIRECTS} times.")

    def _session(self, connections: int) -> aiohttp.ClientSession:
        session = self._sessions.get(connections)
        if session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS
            )
            session = self._sessions[connections] = aiohttp.ClientSession(
                # A limit for all hosts would let one slow upstream delay the others.
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=connections),
                timeout=timeout,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return session

    async def forward(
        self, request: web.Request, file: RemoteFile, url: str, via: Sequence[str]
    ) -> web.StreamResponse:
        """Return a response, not yet sent, with a file of another index.

        Args:
            request: its headers say which range is requested and what the client has already.
            file: the file.
            url: the URL of the file or of its core metadata.
            via: the ids of the repositories that the request passed, the current one included.

        Raises:
            NotFoundError: the other index does not have the file any more.
            UpstreamError: the other index did not respond.
        """
        headers = {
            name: value
            for name in _FORWARDED_REQUEST_HEADERS
            if (value := request.headers.get(name))
        }
        # Ranges and sizes refer to the file itself, not to a compressed form of it.
        headers["Accept-Encoding"] = "identity"
        headers[_VIA] = " ".join(via)
        remote_url = URL(url, encoded=True)
        response = await self.get(remote_url, headers=headers, origins=file.origins)
        status = response.status
        if status not in _FORWARDED_STATUSES:
            response.release()
            if status in _MISSING:
                raise NotFoundError(f"The upstream does not have {file.filename} any more.")
            raise _wrong_status(status)
        headers = {
            name: value
            for name in _FORWARDED_RESPONSE_HEADERS
            # A value with control characters cannot be sent.
            if (value := response.headers.get(name)) and value.isascii() and value.isprintable()
        }
        headers["Content-Type"] = _FILE_TYPE
        if request.method == "HEAD" or status in _NO_BODY:
            response.release()
            if request.method != "HEAD":
                headers.pop("Content-Length", None)
            return web.Response(status=status, headers=headers)
        return await StreamedResponse.open(status, headers, _chunks(response))


class RemoteIndex:
    """Another index, read through its simple API."""

    def __init__(
        self, client: UpstreamClient, url: str, file_origins: Collection[str], via: Sequence[str]
    ) -> None:
        self._client = client
        self._via = via
        self._origins = tuple(file_origins)
        try:
            self._url = URL(url.rstrip("/") + "/")
        except ValueError as error:
            # An earlier version of the server may have stored an invalid URL.
            raise UpstreamError("The URL of the upstream is not valid: change it.") from error

    async def project(self, name: str) -> UpstreamProject | None:
        """Return a project, or None if the index does not have it.

        Raises:
            UpstreamError: the index did not respond, or its page is invalid.
        """
        try:
            check_project_name(name)
        except InvalidError:
            return None
        page = await self._page(self._url / name / "")
        if page is None:
            return None
        url, content_type, body = page
        files = {}
        try:
            listed = await PAGES.run(read_project_page, content_type, body)
            base = url.join(URL(listed.base, encoded=True))
            for number, file in enumerate(listed.files):
                files[file.filename] = self._file(base, file)
                if number % _FILES_AT_ONCE == 0:
                    await asyncio.sleep(0)
        except (InvalidError, ValueError) as error:
            raise UpstreamError(f"The upstream's page of {name} is invalid: {error}.") from error
        revision = hashlib.sha256(body).hexdigest()[:16]
        return UpstreamProject(name=name, files=files, revision=revision)

    async def project_names(self) -> list[str]:
        """Return no names: a public index has too many, and installers do not need them."""
        return []

    async def listing_revision(self) -> str:
        """Return a constant, since `project_names` does not change."""
        return str(self._url)

    async def _page(self, url: URL) -> tuple[URL, str, bytearray] | None:
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "gzip", _VIA: " ".join(self._via)}
        try:
            async with asyncio.timeout(REMOTE_PAGE_SECONDS):
                response = await self._client.get(
                    url, headers=headers, origins=self._origins, connections=_PAGES_AT_ONCE
                )
                async with response:
                    if response.status in _MISSING:
                        return None
                    if not response.ok:
                        raise _wrong_status(response.status)
                    return response.url, response.content_type, await read_bounded(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unavailable(url) from error

    def _file(self, base: URL, file: PageFile) -> RemoteFile:
        url = _allowed_url(
            base.join(URL(file.url, encoded=True)), self._url, self._origins, "has files"
        )
        text = str(url)
        return RemoteFile(
            filename=file.filename,
            version=_version(file.filename),
            size=file.size,
            sha256=file.digests.get("sha256", ""),
            all_digests=file.digests,
            url=text,
            origins=self._origins,
            upload_time=file.upload_time or now(),
            uploader="upstream",
            requires_python=file.requires_python,
            metadata_sha256=file.metadata_sha256,
            metadata_url=None if file.metadata_sha256 is None else f"{text}.metadata",
            yanked=file.yanked,
        )


def _allowed_url(url: URL, index: URL, origins: Collection[str], what: str) -> URL:
    """Return a URL that an upstream named, with the upstream's credentials on its own origin only.

    Raises:
        UpstreamError: it leads to an origin that is not allowed.
        ValueError: it is not a valid URL.
    """
    # The URL's own credentials are removed, because the author of the page chose them.
    url = url.with_fragment(None).with_user(None)
    origin = url.origin()
    if origin == index.origin():
        return url.with_user(index.user).with_password(index.password)
    if str(origin) in origins:
        return url
    raise UpstreamError(
        f"The upstream {what} at {str(origin)[:200]}, which is not its own origin: add that origin "
        "to the setting upstream_file_origins if you trust it."
    )


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async with response:
            async for chunk in response.content.iter_chunked(_CHUNK):
                yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _unavailable(response.url) from error


def _unavailable(url: URL) -> UpstreamError:
    return UpstreamError(f"The upstream at {str(url.origin())[:200]} did not respond.")


def _wrong_status(status: int) -> UpstreamError:
    if status == _LOOP_DETECTED:
        return UpstreamLoopError(
            "The upstream leads back to a repository that the request passed already, or the "
            f"request passed more than {MAX_HOPS} repositories."
        )
    return UpstreamError(f"The upstream responded with status {status}.")


def _version(filename: str) -> str | None:
    try:
        return parse_filename(filename).version
    except InvalidError:
        return None
