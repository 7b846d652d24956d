"""Bad input: an answer below 500 or a closed connection; the next request is served."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from collections.abc import Iterator

import pytest

from tests.server.support.archives import Archive, incompressible, sdist, tarred, wheel, zipped
from tests.server.support.forms import BOUNDARY, File, Form, encode, fields
from tests.server.support.index import Index, Server
from tests.server.support.raw import Answer, basic, connect, exchange, request

MEBIBYTE = 1 << 20


@pytest.fixture(autouse=True)
def _nothing_is_left(server: Server) -> Iterator[None]:
    """Whatever a test sends, nothing of it stays, nothing failed and the next is served."""
    before, log = server.blobs(), len(server.process.log)
    yield
    said = server.process.log[log:]
    assert "Traceback" not in said
    assert " 500 " not in said
    assert server.request("GET", "/healthz").status_code == 200
    assert server.keeps_nothing_beyond(before)


@pytest.fixture(scope="module")
def victim(server: Server) -> Index:
    """A repository into which nothing gets."""
    return server.repository()


def head(index: Index, form: Form, **headers: str) -> bytes:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return request(
        f"POST {index.path} HTTP/1.1",
        {**index.authorization, "Content-Type": form.content_type, **more},
    )


def sent(index: Index, data: bytes) -> Answer | None:
    """What is answered to these bytes and no more; None where the connection was closed."""
    with connect(index.url) as connection:
        try:
            connection.send(data)
            connection.half_close()
            return connection.answer()
        except ConnectionError:
            return None


def assert_refused(answer: Answer | None) -> None:
    assert answer is None or 400 <= answer.status < 500, answer


def assert_answered(answer: Answer | None) -> None:
    assert answer is None or answer.status < 500, answer


def assert_refused_and_next_is_served(index: Index, form: Form) -> None:
    """A form whose length is as told is refused, and its connection goes on."""
    with connect(index.url) as connection:
        whole = head(index, form, Content_Length=str(len(form.body))) + form.body
        connection.send(whole)
        answer = connection.answer()
        assert answer.status in (400, 413), answer
        assert answer.reason not in ("", "Bad Request")
        if answer.headers.get("Connection", "").lower() != "close":
            connection.send(request(f"GET {index.path}/ HTTP/1.1", index.authorization))
            assert connection.answer().status == 200


WHOLE = encode(fields(wheel()))
CUTS = sorted({*range(1, 200, 13), *range(200, len(WHOLE.body) - 1, 83), len(WHOLE.body) - 5})


@pytest.mark.parametrize("cut", [0, *CUTS])
def test_a_form_that_ends_early_is_refused(victim: Index, cut: int) -> None:
    form = Form(WHOLE.content_type, WHOLE.body[:cut])
    assert_refused_and_next_is_served(victim, form)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=other",
        f"multipart/form-data; boundary={'x' * 5000}",
        f"multipart/form-data; boundary={BOUNDARY[:-1]}",
        f"multipart/form-data; boundary={BOUNDARY}x",
        "multipart/form-data; boundary=\xe9",
        "multipart/form-data; boundary=\xff\xfe",
        "multipart/form-data; boundary*=utf-8''x",
        'multipart/form-data; boundary="a\\"b"',
        f"multipart/mixed; boundary={BOUNDARY}",
        f"text/plain; boundary={BOUNDARY}",
        "; boundary=x",
        "=;=;=",
        "",
    ],
)
def test_a_bad_boundary_is_refused(victim: Index, content_type: str) -> None:
    assert_refused_and_next_is_served(victim, Form(content_type, WHOLE.body))


def part(headers: bytes, body: bytes = b"x") -> bytes:
    mark = f"--{BOUNDARY}".encode()
    return mark + b"\r\n" + headers + b"\r\n\r\n" + body + b"\r\n" + mark + b"--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        WHOLE.body.replace(b"\r\n", b"\n"),
        b"\n" + WHOLE.body.replace(b"\r\n", b"\n"),
        WHOLE.body.replace(b"\r\n", b"\r"),
        WHOLE.body.replace(b"\r\n\r\n", b"\r\n"),
        b"garbage" + WHOLE.body,
        f"--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\n--{BOUNDARY}--\r\n".encode(),
        part(b""),
        part(b"Content-Type: text/plain"),
        part(b"Content-Disposition: form-data"),
        part(b"Content-Disposition: attachment; filename=x"),
        part(b"Content-Disposition: form-data; name"),
        part(b"no colon"),
        part(b": no name"),
        part(b"Content-Disposition: form-data; name=\xff\xfe"),
        part(b'Content-Disposition: form-data; name="a\x00b"'),
        part(b'Content-Disposition: form-data; name="a"\r\nX: ' + b"y" * 10_000),
        part(b'Content-Disposition: form-data; name="a"' + b"\r\nX: y" * 1000),
        part(b'Content-Disposition: form-data; name="a"\r\nContent-Length: 99'),
        part(b'Content-Disposition: form-data; name="a"\r\nContent-Length: -1'),
        part(b'Content-Disposition: form-data; name="a"\r\n folded'),
        part(b'Content-Disposition: form-data; name="content"; filename="x"'),
        part(b'Content-Disposition: form-data; name="content"; filename=""'),
        part(b'Content-Disposition: form-data; name="a"\r\nContent-Type: multipart/mixed'),
        part(b'Content-Disposition: form-data; name="' + b"a" * 4000 + b'"'),
        b"\r\n" * 100_000,
        b"-" * 300_000,
        f"--{BOUNDARY}".encode() * 10_000,
        bytes(100_000),
        incompressible(100_000),
    ],
)
def test_what_is_no_form_is_refused(victim: Index, body: bytes) -> None:
    assert_refused_and_next_is_served(victim, Form(WHOLE.content_type, body))


def test_a_giant_field_is_refused(victim: Index) -> None:
    big = encode([("description", "x" * (17 * MEBIBYTE)), *fields(wheel())])
    assert_refused_and_next_is_served(victim, big)


def test_more_fields_than_any_form_has_are_refused(victim: Index) -> None:
    many = encode([*(("classifiers", "x") for _ in range(5000)), *fields(wheel())])
    assert_refused_and_next_is_served(victim, many)


def test_a_giant_field_name_is_refused(victim: Index) -> None:
    assert_refused_and_next_is_served(victim, encode([("x" * 100_000, "y"), *fields(wheel())]))


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
def test_bad_headers_are_refused(victim: Index, header: str) -> None:
    start = f"POST {victim.path} HTTP/1.1\r\nHost: x\r\n"
    login = f"Authorization: {victim.authorization['Authorization']}\r\n"
    kind = f"Content-Type: {WHOLE.content_type}\r\n"
    data = (start + login + kind + header + "\r\n\r\n").encode("latin-1") + b"hello"
    assert_refused(sent(victim, data))


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
def test_bad_request_lines_are_answered(victim: Index, line: bytes) -> None:
    assert_answered(sent(victim, line + b"\r\nHost: x\r\n\r\n"))


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
def test_bad_chunks_are_refused(victim: Index, path: str, body: bytes) -> None:
    to_api = path.startswith("/api")
    login = basic(*victim.server.admin) if to_api else victim.authorization["Authorization"]
    method = "PUT" if "files" in path else "POST"
    data = request(
        f"{method} {path.format(path=victim.path, name=victim.name)} HTTP/1.1",
        {
            "Authorization": login,
            "Content-Type": WHOLE.content_type,
            "Transfer-Encoding": "chunked",
        },
    )
    assert_refused(sent(victim, data + body))


@pytest.mark.parametrize("length", [0, 1, len(WHOLE.body) // 2, len(WHOLE.body) - 5])
def test_a_length_that_is_too_short_is_refused(victim: Index, length: int) -> None:
    data = head(victim, WHOLE, Content_Length=str(length)) + WHOLE.body
    assert_refused(sent(victim, data))


@pytest.mark.parametrize("size", [0, 2 * MEBIBYTE])
@pytest.mark.parametrize("lacking", [1, 100])
def test_a_length_that_is_too_long_stores_nothing(victim: Index, size: int, lacking: int) -> None:
    form = encode(fields(wheel(padding=size)))
    # The form is whole up to its last boundary, which lacks.
    body = form.body[:-4]
    data = head(victim, form, Content_Length=str(len(body) + lacking)) + body
    assert_refused(sent(victim, data))


@pytest.mark.parametrize("size", [100, 60_000, 600_000, 6_000_000])
@pytest.mark.parametrize("door", ["upload", "put"])
def test_a_client_that_goes_away_leaves_nothing(victim: Index, size: int, door: str) -> None:
    archive = wheel(padding=8 * MEBIBYTE)
    form = encode(fields(archive))
    with connect(victim.url) as connection:
        if door == "upload":
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


def test_clients_that_read_nothing_do_not_stop_others(server: Server) -> None:
    index = server.repository()
    large = wheel(padding=8 * MEBIBYTE)
    index.publish(large)
    ask = request(f"GET {index.path}/demo/{large.filename} HTTP/1.1", index.authorization)
    with connect(index.url) as first, connect(index.url) as second:
        first.send(ask)
        second.send(b"POST ")
        for _ in range(5):
            assert index.get("/demo/").status_code == 200
    index.done("DELETE")


def bomb(archive: bytes) -> Form:
    name = "demo-1.0-py3-none-any.whl" if archive[:2] == b"PK" else "demo-1.0.tar.gz"
    return encode(fields(Archive(name, archive), version=None))


def end_of_directory(size: int, offset: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, offset, 0)


BOMBS = {
    "a wheel of one large METADATA": zipped(
        {"demo-1.0.dist-info/METADATA": wheel().metadata + b"x" * (32 * MEBIBYTE)}
    ),
    "a wheel of many members": zipped({f"{number}": b"" for number in range(3000)}),
    "a directory that claims gigabytes": end_of_directory(0xFFFFFFF0, 0),
    "a directory that begins before the file": end_of_directory(255, 255),
    "a wheel in a wheel": zipped({"demo-1.0-py3-none-any.whl": wheel().data}),
    "an sdist of one large PKG-INFO": tarred({"demo-1.0/PKG-INFO": b"x" * (32 * MEBIBYTE)}),
    "gzip in gzip": gzip.compress(sdist().data),
    "gzip of zeros": gzip.compress(b"\1" * (32 * MEBIBYTE)),
    "an sdist cut in the middle": sdist().data[: len(sdist().data) // 2],
}


@pytest.mark.parametrize("what", BOMBS)
def test_hostile_archives_are_refused(victim: Index, what: str) -> None:
    assert_refused_and_next_is_served(victim, bomb(BOMBS[what]))


def test_a_compressed_form_is_read_within_the_same_limits(victim: Index) -> None:
    big = encode([("description", "x" * (64 * MEBIBYTE)), *fields(wheel())])
    compressed = Form(big.content_type, gzip.compress(big.body, 1))
    whole = head(
        victim, compressed, Content_Length=str(len(compressed.body)), Content_Encoding="gzip"
    )
    assert_refused(sent(victim, whole + compressed.body))
    cut = zlib.compress(WHOLE.body)[:-10]
    whole = head(victim, WHOLE, Content_Length=str(len(cut)), Content_Encoding="deflate")
    assert_refused(sent(victim, whole + cut))


HEADERS = ("Range", "If-Range", "If-None-Match", "Accept", "Accept-Encoding", "Authorization")
VALUES = (
    *("", ",", ";", "=", '"', "*", "*/*;q=", "a/b;q=x", "a/b;q=9", "bytes=", "bytes=--1", "W/"),
    *("bytes=0-0-0", "bytes=" + "9" * 400 + "-", "gzip;q=", "gzip;q=1;q=0", "\xff\xfe", "a" * 7000),
    *('"' * 99, "," * 999, "a/b," * 999, ";q=0.0000000001" * 99, "\t \t", "bytes=0-0\t", '"a", "b'),
)


@pytest.mark.parametrize("header", HEADERS)
def test_odd_values_of_headers_are_answered(index: Index, header: str) -> None:
    archive = wheel()
    index.publish(archive)
    for below in ("/demo/", f"/demo/{archive.filename}"):
        for value in VALUES:
            headers = {**index.authorization, header: value}
            line = f"GET {index.path}{below} HTTP/1.1"
            assert exchange(index.url, request(line, headers)).status < 500
    index.done("DELETE")


def spoilt(random_: random.Random, data: bytes) -> bytes:
    """The bytes with some taken out, changed, doubled or put in."""
    for _ in range(random_.randint(1, 4)):
        at, size = random_.randrange(len(data)), random_.randint(0, 40)
        piece = random_.choice((b"", random_.randbytes(size), data[at : at + size] * 2, b"\r\n"))
        data = data[:at] + piece + data[at + size :]
    return data


@pytest.mark.parametrize("seed", range(8))
def test_forms_that_are_spoilt_at_random_are_answered(server: Server, seed: int) -> None:
    index, random_ = server.repository(), random.Random(seed)  # noqa: S311 (no secret)
    content = ("content", File("demo-1.0-py3-none-any.whl", wheel().data))
    least = encode([("name", "demo"), ("md5_digest", wheel().md5), content])
    for _ in range(40):
        body = spoilt(random_, random_.choice((WHOLE, least)).body)
        whole = head(index, WHOLE, Content_Length=str(len(body))) + body
        assert_answered(sent(index, whole))
    index.done("DELETE")


@pytest.mark.parametrize("seed", range(4))
def test_requests_that_are_spoilt_at_random_are_answered(server: Server, seed: int) -> None:
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
        whole = request(random_.choice(lines), {**index.authorization, **more})
        assert_answered(sent(index, spoilt(random_, whole)))
    index.done("DELETE")
