"""Rendered pages, kept as bytes until what they show changes."""

import gzip
import hashlib
from collections.abc import Callable
from functools import lru_cache

import mimeparse
from aiohttp import web
from cachetools import LRUCache

from cloudrepo_server.specs.simple_api import HTML, HTML_V1, JSON_V1
from cloudrepo_server.web.http.file_response import not_modified

_LATEST = {
    "application/vnd.pypi.simple.latest+html": HTML_V1,
    "application/vnd.pypi.simple.latest+json": JSON_V1,
}
# mimeparse lets the last of equals win: a client that names no preference gets HTML, as from PyPI.
_OFFERED = [*_LATEST, JSON_V1, HTML_V1, HTML]

_CACHE_BYTES = 16 << 20
_MIN_GZIP = 2048
_REMEMBERED = 256
_HEADERS = {"Cache-Control": "max-age=0", "Vary": "Accept, Accept-Encoding, Authorization"}


class Page:
    """A page's bytes and entity tag; the gzipped form is made when it is first asked for."""

    __slots__ = ("_gzipped", "body", "tag")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.tag = hashlib.sha256(body).hexdigest()[:32]
        self._gzipped: bytes | None = None

    @property
    def gzipped(self) -> bytes:
        """The body, compressed."""
        if self._gzipped is None:
            self._gzipped = gzip.compress(self.body, compresslevel=5, mtime=0)
        return self._gzipped


class PageCache:
    """Pages by what they were made from; the key names every input, so none is ever stale."""

    def __init__(self) -> None:
        self._pages: LRUCache[tuple[str, ...], Page] = LRUCache(
            _CACHE_BYTES, getsizeof=lambda page: 2 * len(page.body) + 512
        )

    def get(self, key: tuple[str, ...], render: Callable[[], bytes]) -> Page:
        """The page of that key, rendered where it is not at hand."""
        page = self._pages.get(key)
        if page is None:
            page = Page(render())
            try:
                self._pages[key] = page
            except ValueError:
                # It is larger than all that is kept.
                return page
        return page


@lru_cache(_REMEMBERED)
def negotiate(accept: str, asked: str | None) -> str | None:
    """The content type of a page, or None where none that is offered is acceptable.

    `asked` is `?format=`, which wins over the Accept header.
    https://packaging.python.org/specifications/simple-repository-api/#version-format-selection
    """
    if asked is not None:
        return _LATEST.get(asked, asked if asked in _OFFERED else None)
    try:
        best = str(mimeparse.best_match(_OFFERED, accept or "*/*"))
    except ValueError:
        # A header that cannot be read asks for nothing in particular.
        return HTML
    return _LATEST.get(best, best) or None


@lru_cache(_REMEMBERED)
def _takes_gzip(accept_encoding: str) -> bool:
    # https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
    for each in accept_encoding.lower().replace(" ", "").split(","):
        coding, _, weight = each.partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or not weight
    return False


def page_response(request: web.BaseRequest, page: Page, content_type: str) -> web.Response:
    """The page, or that the client has it already."""
    compressed = len(page.body) >= _MIN_GZIP and _takes_gzip(
        ", ".join(request.headers.getall("Accept-Encoding", ()))
    )
    tag = page.tag + "-gzip" if compressed else page.tag
    headers = {**_HEADERS, "ETag": f'"{tag}"'}
    if not_modified(request, tag):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = content_type + "; charset=utf-8" * (content_type == HTML)
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=page.gzipped if compressed else page.body, headers=headers)
