"""Renders and caches the pages of the simple API, and negotiates their content types."""

import contextlib
import gzip
import hashlib
from collections.abc import Callable, Hashable
from functools import lru_cache

import mimeparse
from aiohttp import web
from cachetools import LRUCache

from cloudrepo_server.pools import PAGES
from cloudrepo_server.specs.simple_api import HTML, HTML_V1, JSON_V1
from cloudrepo_server.web.http.file_response import not_modified

_LATEST = {
    "application/vnd.pypi.simple.latest+html": HTML_V1,
    "application/vnd.pypi.simple.latest+json": JSON_V1,
}
# Of equally preferred types mimeparse picks the last one: HTML, as on PyPI.
_OFFERED = [*_LATEST, JSON_V1, HTML_V1, HTML]

SERIAL_HEADER = "X-PyPI-Last-Serial"

_CACHE_BYTES = 16 << 20
_MIN_GZIP = 2048
_CACHED_HEADERS = 256
_MAX_HEADER = 1024
_VARY = "Accept, Accept-Encoding, Authorization"


# Larger pages are rendered and compressed in a thread, as they would delay other requests.
_MAX_INLINE = 256 << 10
_MAX_INLINE_ENTRIES = 500


class Page:
    """A rendered page with its entity tag, compressed when a client first accepts gzip."""

    __slots__ = ("_gzipped", "body", "tag")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.tag = hashlib.sha256(body).hexdigest()[:32]
        self._gzipped: bytes | None = None

    async def gzipped(self) -> bytes:
        """Return the compressed body.

        Raises:
            BusyError: too many large pages wait to be compressed.
        """
        if self._gzipped is None:
            is_large = len(self.body) > _MAX_INLINE
            self._gzipped = (
                await PAGES.run(_compress, self.body) if is_large else _compress(self.body)
            )
        return self._gzipped


def _compress(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=5, mtime=0)


def _rendered(render: Callable[[], bytes]) -> Page:
    return Page(render())


class PageCache:
    """A cache of rendered pages. A key contains all inputs of its page, so no page is stale."""

    def __init__(self) -> None:
        self._pages: LRUCache[tuple[Hashable, ...], Page] = LRUCache(
            _CACHE_BYTES, getsizeof=lambda page: 2 * len(page.body) + 512
        )

    async def get(
        self, key: tuple[Hashable, ...], render: Callable[[], bytes], *, entries: int
    ) -> Page:
        """Return the page of a key; render it if it is not in the cache.

        Args:
            key: contains all inputs of the page.
            render: renders it; called in a thread if the page has many entries.
            entries: the number of projects or files on the page.

        Raises:
            BusyError: too many large pages wait to be rendered.
        """
        page = self._pages.get(key)
        if page is None:
            page = (
                await PAGES.run(_rendered, render)
                if entries > _MAX_INLINE_ENTRIES
                else _rendered(render)
            )
            # A page that is larger than the cache is rendered again each time.
            with contextlib.suppress(ValueError):
                self._pages[key] = page
        return page


def joined_header(request: web.BaseRequest, name: str) -> str:
    """Return the values of a header as one list, or an empty string if they are too long.

    No client sends such long values. They would take long to parse, and block the event loop.
    """
    values = request.headers.getall(name, ())
    return ", ".join(values) if sum(map(len, values)) <= _MAX_HEADER else ""


@lru_cache(_CACHED_HEADERS)
def negotiate(accept: str, requested_format: str | None) -> str | None:
    """Return the content type of a page, or None if the client accepts no type of this server.

    `requested_format` is the query parameter `format`, which overrides the Accept header.
    https://packaging.python.org/specifications/simple-repository-api/#version-format-selection
    """
    if requested_format is not None:
        return _LATEST.get(
            requested_format, requested_format if requested_format in _OFFERED else None
        )
    try:
        best = str(mimeparse.best_match(_OFFERED, accept or "*/*"))
    except ValueError:
        # A malformed Accept header states no preference.
        return HTML
    return _LATEST.get(best, best) or None


@lru_cache(_CACHED_HEADERS)
def _accepts_gzip(accept_encoding: str) -> bool:
    # https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
    for item in accept_encoding.lower().replace(" ", "").split(","):
        coding, _, weight = item.partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or not weight
    return False


def cache_control(seconds: int) -> str:
    """Return the value of `Cache-Control`; for 0 seconds, clients revalidate the page each time."""
    return f"max-age={seconds}, public" if seconds else "max-age=0"


async def page_response(
    request: web.BaseRequest,
    page: Page,
    content_type: str,
    *,
    max_age: int = 0,
    serial: int | None = None,
) -> web.Response:
    """Return the response with a page, or 304 if the client has it already.

    Args:
        request: its headers say what the client accepts and what it has already.
        page: the page.
        content_type: the page's content type.
        max_age: how many seconds clients may use the page without asking again.
        serial: the serial of the last change that the page shows, if the dialect has serials.
    """
    compressed = len(page.body) >= _MIN_GZIP and _accepts_gzip(
        joined_header(request, "Accept-Encoding")
    )
    tag = page.tag + "-gzip" if compressed else page.tag
    headers = {"Cache-Control": cache_control(max_age), "Vary": _VARY, "ETag": f'"{tag}"'}
    if serial is not None:
        headers[SERIAL_HEADER] = str(serial)
    if not_modified(request, tag):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = "text/html; charset=utf-8" if content_type == HTML else content_type
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=await page.gzipped() if compressed else page.body, headers=headers)
