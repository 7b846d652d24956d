"""Large pages are rendered and compressed in threads, so that they delay no other request."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from cloudrepo_server.web.index.pages import Page, PageCache
from tests.support.index import HTML, JSON, Server
from tests.support.upstream import Upstream, running_upstream

T = TypeVar("T")

MEBIBYTE = 1 << 20
FILES = 2000


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream() as upstream:
        yield upstream


class SlowWork:
    """Slow work that ends once the event loop runs other tasks; it fails if it blocks the loop."""

    def __init__(self, work: Callable[..., bytes]) -> None:
        self._work = work
        self._free = threading.Event()

    def __call__(self, *arguments: object, **options: object) -> bytes:
        assert self._free.wait(20), "the work blocks the event loop"
        return self._work(*arguments, **options)

    async def run(self, task: Coroutine[Any, Any, T]) -> T:
        """Return the result of a task that needs the work."""
        running = asyncio.ensure_future(task)
        for _ in range(3):
            await asyncio.sleep(0)
        self._free.set()
        return await running


def test_a_page_with_many_entries_is_rendered_in_a_thread() -> None:
    render = SlowWork(lambda: b"page")
    page = asyncio.run(render.run(PageCache().get(("key",), render, entries=FILES)))
    assert page.body == b"page"


def test_a_large_page_is_compressed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    compress = SlowWork(gzip.compress)
    monkeypatch.setattr(gzip, "compress", compress)
    body = bytes(MEBIBYTE)
    assert gzip.decompress(asyncio.run(compress.run(Page(body).gzipped()))) == body


@pytest.mark.parametrize("content_type", [HTML, JSON])
def test_a_large_page_is_complete(server: Server, upstream: Upstream, content_type: str) -> None:
    names = [f"demo-{number}.tar.gz" for number in range(FILES)]
    files = [{"filename": name, "url": name, "hashes": {}} for name in names]
    upstream.respond("/simple/demo/", json.dumps({"files": files}))
    index = server.repository(upstream=[upstream.url])
    pages = [
        index.get("/demo/", Accept=content_type, Accept_Encoding=encoding)
        for encoding in ("gzip", "identity", "gzip")
    ]
    assert [page.status_code for page in pages] == [200] * 3
    assert [page.headers.get("Content-Encoding") for page in pages] == ["gzip", None, "gzip"]
    assert len({page.content for page in pages}) == 1
    assert pages[0].text.count('.tar.gz"' if content_type == JSON else ".tar.gz<") >= FILES
