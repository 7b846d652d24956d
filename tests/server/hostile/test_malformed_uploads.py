"""Malformed forms and archives: they are rejected with a reason, and leave no blobs behind."""

from __future__ import annotations

import gzip
import random
import struct
import zlib

import pytest

from tests.support.archives import Archive, incompressible, sdist, tarred, wheel, zipped
from tests.support.forms import BOUNDARY, File, Form, encode, fields
from tests.support.hostile import (
    MEBIBYTE,
    VALID_FORM,
    assert_form_rejected_and_connection_usable,
    assert_no_server_error,
    assert_rejected,
    head,
    mutate,
    send_raw,
)
from tests.support.index import Index, Server

pytestmark = pytest.mark.usefixtures("server_stays_clean")

CUTS = sorted(
    {*range(1, 200, 13), *range(200, len(VALID_FORM.body) - 1, 83), len(VALID_FORM.body) - 5}
)


@pytest.mark.parametrize("cut", [0, *CUTS])
def test_a_truncated_form_is_rejected(victim: Index, cut: int) -> None:
    form = Form(VALID_FORM.content_type, VALID_FORM.body[:cut])
    assert_form_rejected_and_connection_usable(victim, form)


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
def test_an_invalid_boundary_is_rejected(victim: Index, content_type: str) -> None:
    assert_form_rejected_and_connection_usable(victim, Form(content_type, VALID_FORM.body))


def part(headers: bytes, body: bytes = b"x") -> bytes:
    mark = f"--{BOUNDARY}".encode()
    return mark + b"\r\n" + headers + b"\r\n\r\n" + body + b"\r\n" + mark + b"--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        VALID_FORM.body.replace(b"\r\n", b"\n"),
        b"\n" + VALID_FORM.body.replace(b"\r\n", b"\n"),
        VALID_FORM.body.replace(b"\r\n", b"\r"),
        VALID_FORM.body.replace(b"\r\n\r\n", b"\r\n"),
        b"garbage" + VALID_FORM.body,
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
def test_a_malformed_form_is_rejected(victim: Index, body: bytes) -> None:
    assert_form_rejected_and_connection_usable(victim, Form(VALID_FORM.content_type, body))


def test_a_field_that_is_too_large_is_rejected(victim: Index) -> None:
    big = encode([("description", "x" * (17 * MEBIBYTE)), *fields(wheel())])
    assert_form_rejected_and_connection_usable(victim, big)


def test_too_many_fields_are_rejected(victim: Index) -> None:
    many = encode([*(("classifiers", "x") for _ in range(5000)), *fields(wheel())])
    assert_form_rejected_and_connection_usable(victim, many)


def test_a_field_name_that_is_too_long_is_rejected(victim: Index) -> None:
    assert_form_rejected_and_connection_usable(
        victim, encode([("x" * 100_000, "y"), *fields(wheel())])
    )


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
    "gzip of one repeated byte": gzip.compress(b"\1" * (32 * MEBIBYTE)),
    "an sdist cut in the middle": sdist().data[: len(sdist().data) // 2],
}


@pytest.mark.parametrize("what", BOMBS)
def test_hostile_archives_are_rejected(victim: Index, what: str) -> None:
    assert_form_rejected_and_connection_usable(victim, bomb(BOMBS[what]))


def test_the_limits_apply_to_the_decompressed_form(victim: Index) -> None:
    big = encode([("description", "x" * (64 * MEBIBYTE)), *fields(wheel())])
    compressed = Form(big.content_type, gzip.compress(big.body, 1))
    whole = head(
        victim, compressed, Content_Length=str(len(compressed.body)), Content_Encoding="gzip"
    )
    assert_rejected(send_raw(victim, whole + compressed.body))
    cut = zlib.compress(VALID_FORM.body)[:-10]
    whole = head(victim, VALID_FORM, Content_Length=str(len(cut)), Content_Encoding="deflate")
    assert_rejected(send_raw(victim, whole + cut))


@pytest.mark.parametrize("seed", range(8))
def test_randomly_mutated_forms_cause_no_server_error(server: Server, seed: int) -> None:
    index, random_ = server.repository(), random.Random(seed)  # noqa: S311 (no secret)
    content = ("content", File("demo-1.0-py3-none-any.whl", wheel().data))
    least = encode([("name", "demo"), ("md5_digest", wheel().md5), content])
    for _ in range(40):
        body = mutate(random_, random_.choice((VALID_FORM, least)).body)
        whole = head(index, VALID_FORM, Content_Length=str(len(body))) + body
        assert_no_server_error(send_raw(index, whole))
    index.api_json("DELETE")
