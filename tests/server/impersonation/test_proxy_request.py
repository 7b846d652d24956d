"""The parsing of requests to the proxy."""

from __future__ import annotations

import pytest

from cloudrepo_server.web.impersonation.proxy_request import parse_proxy_request

CREDENTIALS = "Proxy-Authorization: Basic bmFtZTpzZWNyZXQ="


def head(request_line: str, *headers: str) -> bytes:
    return "\r\n".join([request_line, "Host: x", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    ("request_line", "destination"),
    [
        ("CONNECT Index.Example:8443 HTTP/1.1", (True, "https", "index.example", 8443)),
        ("CONNECT [::1]:443 HTTP/1.1", (True, "https", "::1", 443)),
        ("GET http://index.example/simple/ HTTP/1.1", (False, "http", "index.example", 80)),
        ("GET http://index.example:81/ HTTP/1.1", (False, "http", "index.example", 81)),
    ],
)
def test_a_request_has_a_destination(
    request_line: str, destination: tuple[bool, str, str, int]
) -> None:
    request = parse_proxy_request(head(request_line, CREDENTIALS))
    assert (request.is_connect, request.scheme, request.host, request.port) == destination
    assert request.credentials == ("name", "secret")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        head("GET /simple/ HTTP/1.1"),
        head("GET ftp://index.example/ HTTP/1.1"),
        head("CONNECT :443 HTTP/1.1"),
        head("CONNECT index.example:port HTTP/1.1"),
    ],
)
def test_a_request_that_is_not_for_a_proxy_is_rejected(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_proxy_request(data)


@pytest.mark.parametrize(
    "header",
    [
        "X-Other: x",
        "Proxy-Authorization: Bearer bmFtZTpzZWNyZXQ=",
        "Proxy-Authorization: Basic !",
        "Proxy-Authorization: Basic /w==",
    ],
)
def test_a_request_without_valid_credentials_has_none(header: str) -> None:
    request = parse_proxy_request(head("CONNECT index.example:443 HTTP/1.1", header))
    assert request.credentials is None


def test_the_credentials_are_not_forwarded_to_the_real_host() -> None:
    request = parse_proxy_request(
        head("GET http://index.example/ HTTP/1.1", CREDENTIALS, "Accept: */*")
    )
    assert b"secret" not in request.head_without_credentials
    assert b"bmFtZTpzZWNyZXQ=" not in request.head_without_credentials
    assert b"\r\nAccept: */*\r\n" in request.head_without_credentials
    assert request.head_without_credentials.endswith(b"\r\n\r\n")
