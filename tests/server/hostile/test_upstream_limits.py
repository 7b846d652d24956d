"""Limits on upstreams: their number, the length of a chain of them, and the time of a page."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cloudrepo_server.errors import UpstreamError
from cloudrepo_server.limits import MAX_HOPS, MAX_UPSTREAMS
from cloudrepo_server.web.index import remote_index
from cloudrepo_server.web.index.remote_index import UpstreamClient
from tests.support.archives import wheel
from tests.support.index import Server
from tests.support.upstream import Response, running_upstream

pytestmark = pytest.mark.usefixtures("server_stays_clean")


@pytest.mark.parametrize("setting", ["upstream", "upstream_file_origins"])
def test_the_number_of_upstreams_is_limited(server: Server, setting: str) -> None:
    index = server.repository()
    urls = [f"http://{number}.example" for number in range(MAX_UPSTREAMS + 1)]
    index.set(**{setting: urls[:-1]})
    response = index.api("PATCH", json={setting: urls})
    assert response.status_code == 400
    assert f"have at most {MAX_UPSTREAMS} entries each" in response.json()["error"]


def test_the_length_of_a_chain_of_upstreams_is_limited(own_server: Server) -> None:
    last = own_server.repository()
    last.publish(wheel())
    chain = [last]
    for _ in range(MAX_HOPS):
        chain.append(own_server.repository(upstream=[chain[-1].index_url]))
    assert chain[-2].get("/demo/").status_code == 200
    response = chain[-1].get("/demo/")
    assert response.status_code == 508
    assert f"{MAX_HOPS} repositories" in response.json()["error"]


@pytest.mark.parametrize("sends", [False, True])
def test_an_upstream_must_send_a_page_in_time(
    monkeypatch: pytest.MonkeyPatch, *, sends: bool
) -> None:
    """The time is for the whole page, even if the upstream sends a byte now and then."""
    monkeypatch.setattr(remote_index, "REMOTE_PAGE_SECONDS", 0.1)
    closed = threading.Event()

    def respond() -> Response:
        if not sends:
            closed.wait()
        return Response(b" " * 9999, before_each_byte=lambda: closed.wait(0.01))

    async def read_page(url: str) -> None:
        client = UpstreamClient()
        try:
            async with asyncio.timeout(20):
                await client.connect(url, (), ()).project("demo")
        finally:
            await client.close()

    with running_upstream() as upstream:
        upstream.responses["/simple/demo/"] = respond
        try:
            with pytest.raises(UpstreamError, match="did not respond"):
                asyncio.run(read_page(upstream.url))
        finally:
            closed.set()
