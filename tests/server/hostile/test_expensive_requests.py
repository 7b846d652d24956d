"""Small requests that are expensive to handle: none blocks the server or delays its shutdown."""

from __future__ import annotations

import signal
import time
from typing import Any

import psutil
import pytest

from cloudrepo_server.limits import MAX_HEADERS
from tests.support.archives import core_metadata, wheel
from tests.support.forms import fields
from tests.support.index import HTML, JSON, Index, Server
from tests.support.platforms import needs_posix
from tests.support.portal.browser import Browser
from tests.support.raw import connect, exchange, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

MEBIBYTE = 1 << 20
MANY_HEADERS = b"".join(b"k%d: v\n" % number for number in range(200_000))


def cpu_seconds(server: Server) -> float:
    times = psutil.Process(server.process.pid).cpu_times()
    return times.user + times.system


@pytest.mark.parametrize("name", ["Accept", "Accept-Encoding", "If-None-Match", "Range"])
def test_headers_that_fill_the_request_cost_little(own_server: Server, name: str) -> None:
    index = own_server.repository()
    index.publish(wheel())
    head = request(f"GET {index.path}/demo/ HTTP/1.1", index.authorization)
    line = f"{name}: ".encode() + b"a/b;q=1," * 1000 + b"\r\n"
    before = cpu_seconds(own_server)
    # The other two headers are `Host` and `Authorization`.
    response = exchange(index.url, head.removesuffix(b"\r\n") + line * (MAX_HEADERS - 2) + b"\r\n")
    assert response.status == 200
    assert cpu_seconds(own_server) - before < 0.7


def test_a_long_accept_header_states_no_preference(index: Index) -> None:
    index.publish(wheel())
    assert index.get("/demo/", Accept=f"{JSON}, a/b").headers["Content-Type"] == JSON
    long = index.get("/demo/", Accept=f"{JSON}, " + "a/b, " * 1000)
    assert long.headers["Content-Type"].partition(";")[0] in (HTML, "text/html")


@pytest.mark.parametrize(
    "name", [":action", "protocol_version", "name", "version", "filetype", "sha256_digest"]
)
def test_a_large_field_is_not_repeated_in_the_response(index: Index, name: str) -> None:
    given = [each for each in fields(wheel()) if each[0] != name]
    response = index.post([(name, "x" * 15 * MEBIBYTE), *given])
    assert response.status_code == 400
    assert name in response.json()["error"]
    assert len(response.content) < 8 << 10


@pytest.mark.parametrize("path", ["/users", "/repositories", "/tokens"])
def test_a_large_value_is_not_repeated_by_the_admin_api(server: Server, path: str) -> None:
    value = "x" * (MEBIBYTE - 4096)
    json: Any = {"email": value, "name": value, "repository": value}
    for body in (json, {"name": "demo", "dialect": value}, {"name": "demo", "upstream": [value]}):
        response = server.api("POST", path, body)
        assert 400 <= response.status_code < 500
        assert len(response.content) < 8 << 10


@pytest.mark.parametrize("more", [MANY_HEADERS, b"\n" + b"<div>" * 50_000, b"\n" + b">" * 250_000])
@needs_posix("SIGTERM")
def test_a_page_of_hostile_metadata_delays_neither_other_requests_nor_the_shutdown(
    start_server: StartServer, more: bytes
) -> None:
    process = start_server("--grace", "0.5")
    server = Server(process)
    index = server.repository("demo")
    metadata = core_metadata("demo", "1.0", more="Description-Content-Type: text/markdown\n")
    assert index.upload(wheel(metadata=metadata + more)).status_code == 200
    browser = Browser(server)
    browser.sign_in(*server.admin)
    cookies = "; ".join(f"{name}={value}" for name, value in browser.session.cookies.items())
    page = request("GET /portal/repositories/demo/projects/demo HTTP/1.1", {"Cookie": cookies})
    with connect(server.url) as first, connect(server.url) as second:
        first.send(page)
        second.send(page)
        for _ in range(20):
            assert index.get("/demo/").status_code == 200
        process.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert process.wait() == 0
        assert time.monotonic() - started < 10
    assert "Traceback" not in process.log
    wait_until(lambda: not orphaned_renderers(), "the process that renders READMEs to end")
    browser.close()
    server.close()


def orphaned_renderers() -> list[psutil.Process]:
    """Return the processes that render READMEs for a server that has ended."""
    return [
        each
        for each in psutil.process_iter()
        if "cloudrepo_server.specs.readme" in command(each)
        and "cloudrepo_server" not in command(each.parent())
    ]


def command(process: psutil.Process | None) -> list[str]:
    try:
        return [] if process is None else process.cmdline()
    except psutil.Error:
        return []
