"""Other indexes as upstreams: reads their project pages and forwards their files."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from cloudrepo_server.errors import InvalidError, UpstreamError
from cloudrepo_server.models import RemoteFile, UpstreamProject
from cloudrepo_server.specs.filenames import parse_filename
from cloudrepo_server.specs.simple_api import HTML, HTML_V1, JSON_V1
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.web.http.streamed_response import StreamedResponse

_ACCEPT = f"{JSON_V1}, {HTML_V1};q=0.2, {HTML};q=0.01"
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
_FORWARDED_REQUEST_HEADERS = ("Range", "If-Range", "If-None-Match")
_FORWARDED_RESPONSE_HEADERS = (
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
)
_NOT_FOUND = 404
_CHUNK = 1 << 18


class UpstreamClient:
    """An HTTP client for other indexes, which connects at the first request."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def connect(self, url: str) -> "RemoteIndex":
        """Return the index at a URL."""
        return RemoteIndex(self, URL(url.rstrip("/") + "/"))

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def get(
        self, url: URL | str, *, headers: dict[str, str]
    ) -> "aiohttp.client._RequestContextManager":
        """Send a GET request. The response is decompressed."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS
            )
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session.get(url, headers=headers)

    async def forward(self, request: web.Request, url: str) -> web.StreamResponse:
        """Return the response with a file of another index, which is not sent yet.

        Raises:
            UpstreamError: the other index did not respond.
        """
        headers = {
            name: value
            for name in _FORWARDED_REQUEST_HEADERS
            if (value := request.headers.get(name))
        }
        # Ranges and sizes refer to the file itself, not to a compressed form of it.
        headers["Accept-Encoding"] = "identity"
        try:
            response = await self.get(url, headers=headers)
            headers = {
                name: value
                for name in _FORWARDED_RESPONSE_HEADERS
                if (value := response.headers.get(name))
            }
            if request.method == "HEAD":
                response.release()
                return web.Response(status=response.status, headers=headers)
            return await StreamedResponse.open(response.status, headers, _chunks(response))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(url) from error


class RemoteIndex:
    """Another index, read through its simple API."""

    def __init__(self, client: UpstreamClient, url: URL) -> None:
        self._client = client
        self._url = url

    async def project(self, name: str) -> UpstreamProject | None:
        """Return a project, or None if the index does not have it.

        Raises:
            UpstreamError: the index did not respond, or its page is invalid.
        """
        page = await self._page(self._url / name / "")
        if page is None:
            return None
        url, content_type, text = page
        # Imported at the first use, because few repositories have another index as an upstream.
        from mousebender import simple

        try:
            details = simple.parse_project_details(text, content_type, name)
            files = [self._file(url, file) for file in details["files"]]
        except (ValueError, KeyError, TypeError, simple.UnsupportedMIMEType) as error:
            raise UpstreamError(f"The upstream's page of {name} is invalid.") from error
        revision = hashlib.sha256(text.encode()).hexdigest()[:16]
        return UpstreamProject(
            name=name, files={file.filename: file for file in files}, revision=revision
        )

    async def project_names(self) -> list[str]:
        """Return no names: a public index has too many, and installers do not need them."""
        return []

    async def listing_revision(self) -> str:
        """Return a constant, since `project_names` does not change."""
        return str(self._url)

    async def _page(self, url: URL) -> tuple[URL, str, str] | None:
        try:
            async with self._client.get(url, headers={"Accept": _ACCEPT}) as response:
                if response.status == _NOT_FOUND:
                    return None
                if not response.ok:
                    raise UpstreamError(f"The upstream responded with status {response.status}.")
                return response.url, response.content_type, await response.text()
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            raise UpstreamError("The upstream did not respond.") from error

    def _file(self, page: URL, details: Any) -> RemoteFile:  # noqa: ANN401 (JSON, or made from HTML)
        url = page.join(URL(details["url"], encoded=True)).with_fragment(None)
        if url.origin() == self._url.origin():
            url = url.with_user(self._url.user).with_password(self._url.password)
        metadata = details.get("core-metadata", details.get("data-dist-info-metadata"))
        digest = metadata.get("sha256") if isinstance(metadata, dict) else None
        yanked = details.get("yanked", False)
        return RemoteFile(
            filename=details["filename"],
            version=_version(details["filename"]),
            size=int(details.get("size") or 0),
            sha256=details["hashes"].get("sha256", ""),
            url=str(url),
            upload_time=details.get("upload-time") or now(),
            uploader="upstream",
            requires_python=details.get("requires-python"),
            metadata_sha256=digest,
            metadata_url=None if digest is None else f"{url}.metadata",
            yanked=(yanked if isinstance(yanked, str) else "") if yanked is not False else None,
        )


async def _chunks(response: "aiohttp.ClientResponse") -> AsyncIterator[bytes]:
    try:
        async with response:
            async for chunk in response.content.iter_chunked(_CHUNK):
                yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _unavailable(response.url) from error


def _unavailable(url: URL | str) -> UpstreamError:
    return UpstreamError(f"The upstream of {URL(url).name} did not respond.")


def _version(filename: str) -> str | None:
    try:
        return parse_filename(filename).version
    except InvalidError:
        return None
