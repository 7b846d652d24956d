"""Malformed HTTP requests: they are rejected, and the server serves the next request."""

from __future__ import annotations

import random

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.hostile import (
    MEBIBYTE,
    VALID_FORM,
    assert_no_server_error,
    assert_rejected,
    head,
    mutate,
    send_raw,
)
from tests.support.index import Index, Server
from tests.support.raw import basic, connect, exchange, request

pytestmark = pytest.mark.usefixtures("server_stays_clean")


@pytest.mark.parametrize(
    "header",
    [
        "Content-Length: -1",
        "Content-Length: x",
        "Content-Length: 1e3",
        "Content-Length: +5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 99999999999999999999999",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: nonsense",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: gzip",
        "Content-Length: 5\r\nContent-Encoding: nonsense",
        "Content-Length: 5\r\nContent-Encoding: gzip",
        "Content-Length: 5\r\nContent-Encoding: deflate",
        "Content-Length: 5\r\nContent-Encoding: br",
        "Content-Length: 5\r\nContent-Encoding: zstd",
        "Content-Length: 5\r\nExpect: nonsense",
        "X" * 100_000 + ": y",
        "X: " + "y" * 100_000,
        "X: y\r\n" * 5000 + "Y: z",
        "no colon",
        " folded",
        "X\x00: y",
        "X: y\x00",
        ": y",
    ],
)
def test_malformed_headers_are_rejected(victim: Index, header: str) -> None:
    start = f"POST {victim.path} HTTP/1.1\r\nHost: x\r\n"
    login = f"Authorization: {victim.authorization['Authorization']}\r\n"
    kind = f"Content-Type: {VALID_FORM.content_type}\r\n"
    data = (start + login + kind + header + "\r\n\r\n").encode("latin-1") + b"hello"
    assert_rejected(send_raw(victim, data))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET / HTTP",
        b"GET / HTTP/9.9",
        b"GET / HTTP/1.1 more",
        b"PRI * HTTP/2.0",
        b"FOO / HTTP/1.1",
        b"get / HTTP/1.1",
        b"CONNECT example.com:443 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"TRACE / HTTP/1.1",
        b"GET " + b"/x" * 50_000 + b" HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /%zz HTTP/1.1",
        b"GET /% HTTP/1.1",
        b"GET ?x HTTP/1.1",
        b"GET //[ HTTP/1.1",
        b"GET http://[::1/ HTTP/1.1",
        b"GET http://a:b@c:99999/ HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_malformed_request_lines_cause_no_server_error(victim: Index, line: bytes) -> None:
    assert_no_server_error(send_raw(victim, line + b"\r\nHost: x\r\n\r\n"))


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhel",
        b"5\r\nhelloworld\r\n0\r\n\r\n",
        b"ffffffffffffffffffff\r\nhello",
        b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"0\r\n\r\n",
        b"",
    ],
)
@pytest.mark.parametrize("path", ["{path}", "/api/users", "/api/repositories/{name}/files/x.whl"])
def test_malformed_chunks_are_rejected(victim: Index, path: str, body: bytes) -> None:
    to_api = path.startswith("/api")
    login = basic(*victim.server.admin) if to_api else victim.authorization["Authorization"]
    method = "PUT" if "files" in path else "POST"
    data = request(
        f"{method} {path.format(path=victim.path, name=victim.name)} HTTP/1.1",
        {
            "Authorization": login,
            "Content-Type": VALID_FORM.content_type,
            "Transfer-Encoding": "chunked",
        },
    )
    assert_rejected(send_raw(victim, data + body))


@pytest.mark.parametrize("length", [0, 1, len(VALID_FORM.body) // 2, len(VALID_FORM.body) - 5])
def test_a_content_length_that_is_too_short_is_rejected(victim: Index, length: int) -> None:
    data = head(victim, VALID_FORM, Content_Length=str(length)) + VALID_FORM.body
    assert_rejected(send_raw(victim, data))


@pytest.mark.parametrize("size", [0, 2 * MEBIBYTE])
@pytest.mark.parametrize("missing", [1, 100])
def test_a_content_length_that_is_too_long_stores_nothing(
    victim: Index, size: int, missing: int
) -> None:
    form = encode(fields(wheel(padding=size)))
    # The form is complete except for its last boundary.
    body = form.body[:-4]
    data = head(victim, form, Content_Length=str(len(body) + missing)) + body
    assert_rejected(send_raw(victim, data))


@pytest.mark.parametrize("size", [100, 60_000, 600_000, 6_000_000])
@pytest.mark.parametrize("endpoint", ["upload", "put"])
def test_an_upload_of_a_client_that_disconnects_is_not_stored(
    victim: Index, size: int, endpoint: str
) -> None:
    archive = wheel(padding=8 * MEBIBYTE)
    form = encode(fields(archive))
    with connect(victim.url) as connection:
        if endpoint == "upload":
            begin = head(victim, form, Content_Length=str(len(form.body)))
            connection.send(begin + form.body[:size])
        else:
            path = f"/api/repositories/{victim.name}/files/{archive.filename}"
            headers = {
                "Authorization": basic(*victim.server.admin),
                "Content-Length": str(len(archive.data)),
            }
            connection.send(request(f"PUT {path} HTTP/1.1", headers) + archive.data[:size])
        victim.get("/")
    assert victim.json("/")["projects"] == []


def test_clients_that_read_nothing_do_not_block_others(server: Server) -> None:
    index = server.repository()
    large = wheel(padding=8 * MEBIBYTE)
    index.publish(large)
    get = request(f"GET {index.path}/demo/{large.filename} HTTP/1.1", index.authorization)
    with connect(index.url) as first, connect(index.url) as second:
        first.send(get)
        second.send(b"POST ")
        for _ in range(5):
            assert index.get("/demo/").status_code == 200
    index.api_json("DELETE")


HEADERS = ("Range", "If-Range", "If-None-Match", "Accept", "Accept-Encoding", "Authorization")
VALUES = (
    *("", ",", ";", "=", '"', "*", "*/*;q=", "a/b;q=x", "a/b;q=9", "bytes=", "bytes=--1", "W/"),
    *("bytes=0-0-0", "bytes=" + "9" * 400 + "-", "gzip;q=", "gzip;q=1;q=0", "\xff\xfe", "a" * 7000),
    *('"' * 99, "," * 999, "a/b," * 999, ";q=0.0000000001" * 99, "\t \t", "bytes=0-0\t", '"a", "b'),
)


@pytest.mark.parametrize("header", HEADERS)
def test_unusual_header_values_cause_no_server_error(index: Index, header: str) -> None:
    archive = wheel()
    index.publish(archive)
    for below in ("/demo/", f"/demo/{archive.filename}"):
        for value in VALUES:
            headers = {**index.authorization, header: value}
            line = f"GET {index.path}{below} HTTP/1.1"
            assert exchange(index.url, request(line, headers)).status < 500
    index.api_json("DELETE")


@pytest.mark.parametrize("seed", range(4))
def test_randomly_mutated_requests_cause_no_server_error(server: Server, seed: int) -> None:
    index, random_ = server.repository(), random.Random(seed)  # noqa: S311 (no secret)
    index.publish(wheel())
    lines = [
        f"GET {index.path}/demo/ HTTP/1.1",
        f"GET {index.path}/simple/demo/?format=x HTTP/1.1",
        f"HEAD {index.path}/demo/{wheel().filename}.metadata HTTP/1.1",
        f"GET /public{index.path}/demo/ HTTP/1.1",
        f"GET /api/repositories/{index.name}/projects/demo HTTP/1.1",
    ]
    more = {"Accept": "text/html;q=0.5", "Range": "bytes=0-5", "If-None-Match": '"x"'}
    for _ in range(60):
        valid = request(random_.choice(lines), {**index.authorization, **more})
        assert_no_server_error(send_raw(index, mutate(random_, valid)))
    index.api_json("DELETE")
