"""The parsing of requests to the proxy."""

from __future__ import annotations

import h11
import pytest

from cloudrepo_server.web.impersonation.forwarding import request_headers, response_headers
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
def test_the_method_scheme_host_and_port_are_parsed(
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
        head("CONNECT index.example:0 HTTP/1.1"),
        head("GET http://index.example:0/ HTTP/1.1"),
        head("GET https://index.example/ HTTP/1.1"),
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
def test_missing_or_invalid_credentials_are_parsed_as_none(header: str) -> None:
    request = parse_proxy_request(head("CONNECT index.example:443 HTTP/1.1", header))
    assert request.credentials is None


def test_a_request_is_forwarded_with_its_path_and_the_host_of_its_url() -> None:
    request = parse_proxy_request(
        head(
            "GET http://user@Index.Example:81/a%20b?c=d&e HTTP/1.1",
            CREDENTIALS,
            "Proxy-Connection: keep-alive",
            "Connection: X-First, X-Hop",
            "Keep-Alive: 5",
            "TE: trailers",
            "Trailer: X-Last",
            "X-First: 1",
            "Upgrade: h2c",
            "X-Hop: 1",
            "Accept: */*",
            "Authorization: Basic eA==",
        )
    )
    assert request.target == "/a%20b?c=d&e"
    assert request_headers(request) == [
        (b"Host", b"Index.Example:81"),
        (b"Accept", b"*/*"),
        (b"Authorization", b"Basic eA=="),
        (b"Connection", b"close"),
    ]


@pytest.mark.parametrize(
    ("request_line", "target"),
    [
        ("GET http://index.example HTTP/1.1", "/"),
        ("GET http://index.example?a HTTP/1.1", "/?a"),
        ("OPTIONS http://index.example HTTP/1.1", "*"),
    ],
)
def test_a_url_without_a_path_is_forwarded_as_the_root(request_line: str, target: str) -> None:
    assert parse_proxy_request(head(request_line)).target == target


def test_a_response_is_returned_without_the_headers_of_its_connection() -> None:
    end_to_end = [(b"Content-Type", b"text/html"), (b"Content-Length", b"5"), (b"X-Kept", b"1")]
    dropped = [
        *((b"Connection", b"X-First, X-Hop"), (b"X-First", b"1"), (b"X-Hop", b"1")),
        *((b"Keep-Alive", b"timeout=5"), (b"TE", b"trailers"), (b"Trailer", b"X-Last")),
        *((b"Upgrade", b"h2c"), (b"Proxy-Authenticate", b"Basic"), (b"Proxy-Connection", b"close")),
    ]
    response = h11.Response(status_code=200, headers=[*dropped, *end_to_end])
    assert response_headers(response) == [*end_to_end, (b"Connection", b"close")]


def test_a_returned_body_has_one_length_only() -> None:
    headers = [
        *((b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5")),
        (b"Content-Type", b"text/html"),
    ]
    response = h11.Response(status_code=200, headers=headers)
    assert response_headers(response) == [
        (b"Content-Type", b"text/html"),
        (b"Connection", b"close"),
    ]


def test_a_forwarded_body_has_one_length_only() -> None:
    chunked, sized = ("Transfer-Encoding: chunked", "Content-Length: 5")
    url = "POST http://index.example/ HTTP/1.1"
    both = request_headers(parse_proxy_request(head(url, chunked, sized)))
    assert (b"Transfer-Encoding", b"chunked") in both
    assert all(name.lower() != b"content-length" for name, _ in both)
    # A client cannot hide the length by listing it as a header of the connection.
    listed = request_headers(parse_proxy_request(head(url, sized, "Connection: content-length")))
    assert (b"Content-Length", b"5") in listed
