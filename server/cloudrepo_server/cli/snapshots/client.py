"""An HTTP client for the index of which a snapshot is made."""

import asyncio
import hashlib
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from cloudrepo_server.errors import CloudRepoServerError, InvalidError, UpstreamError
from cloudrepo_server.limits import Limits
from cloudrepo_server.specs.remote_page import PageFile, read_project_page
from cloudrepo_server.specs.simple_api import HTML, HTML_V1, JSON_V1
from cloudrepo_server.web.index.bounded_body import read_bounded

_ACCEPT: Final = f"{JSON_V1}, {HTML_V1};q=0.2, {HTML};q=0.01"
_CONNECTIONS: Final = 16
_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=300.0, sock_connect=15.0, sock_read=60.0)
_MISSING: Final = frozenset({404, 410})
_OK, _PARTIAL, _TOO_MANY = 200, 206, 429
_SERVER_ERRORS: Final = 500
_MAX_METADATA: Final = Limits().metadata_bytes
_CHUNK: Final = 1 << 16

T = TypeVar("T")


class Part(msgspec.Struct, frozen=True):
    """A part of a file: its first position, its content, and the size of the whole file."""

    start: int
    content: bytes
    size: int


class RemoteDistribution(msgspec.Struct, frozen=True):
    """A file on a page of the index, and its absolute URL."""

    page: PageFile
    url: URL


class _TemporaryError(CloudRepoServerError):
    """A request that may succeed if it is sent again, after a pause that the server may state."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


class IndexClient:
    """A client for one index, with a bounded number of connections, and retries.

    The credentials in the URL of the index are sent to its own origin only.
    """

    def __init__(self, url: str) -> None:
        self._url = URL(url.rstrip("/") + "/")
        self._origin = self._url.origin()
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self.requests = 0
        """The number of requests that were sent."""

    async def __aenter__(self) -> Self:
        """Open the client."""
        # `trust_env` means the user's proxies and netrc file.
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=ssl.create_default_context())
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=_TIMEOUT,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def project(self, name: str) -> list[RemoteDistribution] | None:
        """Return the files of a project, or None if the index does not have the project.

        Raises:
            UpstreamError: the index did not respond, or its page is invalid.
        """
        url = self._url / name / ""

        async def read(response: aiohttp.ClientResponse) -> list[RemoteDistribution]:
            body = await read_bounded(response)
            page = read_project_page(response.content_type, body)
            base = response.url.join(URL(page.base, encoded=True))
            return [self._distribution(base, file) for file in page.files]

        headers = {"Accept": _ACCEPT, "Accept-Encoding": "gzip"}
        try:
            return await self._get(name, url, headers, read)
        except InvalidError as error:
            raise UpstreamError(f"the page of {error}") from error

    async def core_metadata(self, project: str, file: RemoteDistribution) -> bytes | None:
        """Return the core metadata that the index offers for a wheel, or None if it is missing.

        Raises:
            UpstreamError: the index did not respond, or sent metadata with a wrong digest.
        """
        url = file.url.with_path(f"{file.url.raw_path}.metadata", encoded=True, keep_query=True)

        async def read(response: aiohttp.ClientResponse) -> bytes:
            return await _read_at_most(response, _MAX_METADATA)

        metadata = await self._get(project, url, {"Accept-Encoding": "identity"}, read)
        if metadata is not None and hashlib.sha256(metadata).hexdigest() != (
            file.page.metadata_sha256
        ):
            raise UpstreamError(
                f"{project}: the core metadata at {_shown(url)} does not have the digest that the "
                "page of the project lists"
            )
        return metadata

    async def part(
        self, project: str, file: RemoteDistribution, start: int, end: int, *, limit: int
    ) -> Part:
        """Return a part of a file, or the whole file if the index does not support ranges.

        Args:
            project: the name of the project.
            file: the file.
            start: the first position. A negative number counts from the end of the file.
            end: the position after the last one. It is ignored if `start` is negative.
            limit: the largest number of bytes to receive.

        Raises:
            InvalidError: the file is too large.
            UpstreamError: the index did not respond.
        """
        wanted = f"bytes={start}" if start < 0 else f"bytes={start}-{end - 1}"

        async def read(response: aiohttp.ClientResponse) -> Part:
            content = await _read_at_most(response, limit)
            if response.status == _OK:
                return Part(0, content, len(content))
            first, size = _content_range(response.headers.get("Content-Range", ""))
            return Part(first, content, size)

        headers = {"Accept-Encoding": "identity", "Range": wanted}
        part = await self._get(project, file.url, headers, read)
        if part is None:
            raise UpstreamError(f"{project}: {_shown(file.url)} was not found")
        return part

    async def whole(self, project: str, file: RemoteDistribution, *, limit: int) -> bytes:
        """Return the content of a file.

        Raises:
            InvalidError: the file is too large.
            UpstreamError: the index did not respond.
        """

        async def read(response: aiohttp.ClientResponse) -> bytes:
            return await _read_at_most(response, limit)

        content = await self._get(project, file.url, {"Accept-Encoding": "identity"}, read)
        if content is None:
            raise UpstreamError(f"{project}: {_shown(file.url)} was not found")
        return content

    def _distribution(self, base: URL, file: PageFile) -> RemoteDistribution:
        url = base.join(URL(file.url, encoded=True)).with_fragment(None).with_user(None)
        if url.origin() == self._origin:
            url = url.with_user(self._url.user).with_password(self._url.password)
        return RemoteDistribution(file, url)

    async def _get(
        self,
        project: str,
        url: URL,
        headers: dict[str, str],
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
    ) -> T | None:
        """Return what `read` returns for the response, or None for a response 404 or 410."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._slots:
                    return await self._get_once(url, headers, read)
            except _TemporaryError as error:
                if attempt == _ATTEMPTS:
                    raise UpstreamError(
                        f"{project}: {_shown(url)} {error} ({attempt} attempts)"
                    ) from error
                pause = error.pause if error.pause is not None else _pause(attempt)
            except (InvalidError, UpstreamError) as error:
                raise type(error)(f"{project}: {_shown(url)}: {error}") from error
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def _get_once(
        self,
        url: URL,
        headers: dict[str, str],
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
    ) -> T | None:
        if self._session is None:
            raise RuntimeError("the client is not open")
        self.requests += 1
        try:
            async with self._session.get(url, headers=headers) as response:
                status = response.status
                if status in _MISSING:
                    return None
                if status == _TOO_MANY or status >= _SERVER_ERRORS:
                    pause = _retry_after(response.headers.get("Retry-After"))
                    raise _TemporaryError(f"responded with status {status}", pause)
                if status not in (_OK, _PARTIAL):
                    raise UpstreamError(f"the response has the status {status}")
                return await read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise _TemporaryError(f"did not respond: {reason}") from error


async def _read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > limit:
            raise InvalidError(f"it is larger than {limit} bytes")
    return bytes(content)


def _content_range(header: str) -> tuple[int, int]:
    """Return the first position and the size of the whole file from a `Content-Range`."""
    unit, _, numbers = header.strip().partition(" ")
    positions, _, size = numbers.partition("/")
    first = positions.partition("-")[0]
    if unit.lower() != "bytes" or not first.isdecimal() or not size.isdecimal():
        raise UpstreamError("the response has no valid Content-Range")
    return int(first), int(size)


def _retry_after(header: str | None) -> float | None:
    """Return the pause that a server asks for, if it states a number of seconds."""
    if header is None or not header.isdecimal():
        return None
    return min(float(header), _LONGEST_PAUSE_SECONDS)


def _pause(attempt: int) -> float:
    longest: float = _PAUSE_SECONDS * 2.0**attempt
    return random.uniform(_PAUSE_SECONDS, longest)  # noqa: S311 - not a secret


def _shown(url: URL) -> str:
    """Return a URL without its credentials and its query, which may contain a signature."""
    return str(url.with_user(None).with_query(None))[:500]
