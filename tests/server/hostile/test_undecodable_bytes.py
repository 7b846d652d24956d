"""Bytes in headers that are not UTF-8: no server error, and no damage to what is recorded."""

from __future__ import annotations

import pytest

from tests.support.index import Index, Server
from tests.support.proxy_client import ProxyClient
from tests.support.raw import exchange, request

BYTES = b"\xff\xfe"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/healthz"), ("GET", "/nothing"), ("POST", "/api/users"), ("PUT", "/"), ("GET", "/")],
)
def test_an_expectation_that_is_not_text_gets_a_417(server: Server, method: str, path: str) -> None:
    head = request(f"{method} {path} HTTP/1.1", {"Expect": "?"}).replace(b"?", BYTES)
    assert exchange(server.url, head).status == 417


def test_a_boundary_that_is_not_text_is_rejected(index: Index) -> None:
    headers = {**index.authorization, "Content-Type": "multipart/form-data; boundary=?"}
    head = request(f"POST {index.path} HTTP/1.1", headers, b"--x--").replace(b"?", BYTES)
    response = exchange(index.url, head)
    assert (response.status, b"with a boundary" in response.body) == (400, True)


def test_a_user_agent_that_is_not_text_is_listed(index: Index) -> None:
    head = request(f"GET {index.path} HTTP/1.1", {"User-Agent": "a?"}).replace(b"?", BYTES)
    assert exchange(index.url, head).status == 401
    client = ProxyClient.of(index)
    with client.connect() as connection:
        blocked = client.request("GET http://blocked.example/ HTTP/1.1", User_Agent="a?")
        connection.send(blocked.replace(b"?", BYTES))
        assert connection.read_response().status == 403
    assert [entry["user_agent"] for entry in index.journal()] == ["a\ufffd\ufffd"] * 2
