"""Malformed requests to the proxy: they are rejected, and the proxy serves the next client."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.support.index import Index
from tests.support.raw import basic, connect, exchange, request

pytestmark = pytest.mark.usefixtures("server_stays_clean")

HOST = "http://pypi.example"


@pytest.fixture(scope="module")
def proxy(victim: Index) -> str:
    made: str = victim.api_json("POST", "/impersonations", {"urls": [f"{HOST}/"]})["proxy"]
    return made


def login(proxy: str) -> str:
    parts = urlsplit(proxy)
    return basic(parts.username or "", parts.password or "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"x" * 200_000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 30_000 + b"\r\n",
        b"GET \xff HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT :99999 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT [::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[x/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic \xff\r\n\r\n",
        b"GET http://a:99999/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET ftp://a/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_malformed_proxy_requests_are_rejected(victim: Index, proxy: str, data: bytes) -> None:
    log_size = len(victim.server.process.log)
    with connect(proxy) as connection:
        try:
            connection.send(data)
            connection.half_close()
            assert 400 <= connection.read_response().status < 500
        except ConnectionError:
            # The proxy closes the connection after an empty request or one that is too large.
            pass
    with connect(proxy) as connection:
        connection.send(b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000)
        assert connection.read_response().status == 431
        assert connection.closed_by_server()
    assert "Unhandled" not in victim.server.process.log[log_size:]
    headers = {"Proxy-Authorization": login(proxy), **victim.authorization}
    response = exchange(proxy, request(f"GET {HOST}/ HTTP/1.1", headers, host="pypi.example"))
    assert response.status == 200, response
