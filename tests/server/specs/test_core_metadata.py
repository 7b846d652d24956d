"""The reader of core metadata: it reads what packaging reads, with bounded work."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.metadata import parse_email

from cloudrepo_server.limits import (
    METADATA_HEADER_BLOCK,
    METADATA_HEADER_BYTES,
    METADATA_HEADER_LINES,
    METADATA_HEADERS,
)
from cloudrepo_server.specs.core_metadata import (
    read_core_metadata,
    read_dependencies,
    read_identity,
)

HEAD = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
MANY = 200_000
# Values that the email package returns unchanged, and values that it changes or cannot read.
VALUES = (
    *(b"1.0", b" 2.4", b">=3.9, <4", b"demo  ", b"a  b", b"\tx\t", b"demo>1; extra == 'x'"),
    *(b"", b" ", b"x\n y", b"x\n\ty", b"x\r", b"J\xc3\xb6rg", b"\xff", b"a\x0bb", b"=?utf-8?q?x?="),
)
NAMES = (
    *(b"Name", b"Version", b"Metadata-Version", b"Requires-Python", b"Requires-Dist"),
    *(b"Provides-Extra", b"name", b"REQUIRES-dist", b"Requires-Python ", b"Summary"),
)
HEADERS = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES))


def test_the_fields_are_those_that_packaging_reads() -> None:
    metadata = (
        HEAD
        + b"Summary: A demo\nAuthor: J\xc3\xb6rg\nAuthor-email: a@example.com\nKeywords: a,b\n"
        + b"Classifier: One\nClassifier: Two\nRequires-Dist: x>1\nRequires-Dist: y; extra == 'z'\n"
        + b"Provides-Extra: z\nProject-URL: Home, https://example.com\nRequires-Python: >=3.9\n"
        + b"Maintainer: Ann\nMaintainer-email: b@example.com\nHome-page: https://example.com\n"
        + b"Download-URL: https://example.com/x\nRequires-External: C\nDynamic: Version\n"
        + b"License-File: LICENSE\nLicense-File: NOTICE\n"
        + b"License-Expression: MIT\nLicense: line\n  more\nX-Other: ignored\nunknown: y\n"
        + b"Description-Content-Type: text/markdown\n\n# Title\n\nName: not a header\n"
    )
    expected = parse_email(metadata)[0]
    assert len(expected) == 23
    assert read_core_metadata(metadata) == expected


@given(st.lists(HEADERS, max_size=8))
@example([(b"Name", b"a"), (b"Name", b"b")])
@example([(b"Requires-Dist", b"a"), (b"Requires-Dist", b"b")])
def test_the_identity_and_the_dependencies_are_those_that_packaging_reads(
    headers: list[tuple[bytes, bytes]],
) -> None:
    metadata = b"".join(b"%b:%b\n" % header for header in headers) + b"\nName: not a header\n"
    expected = parse_email(metadata)[0]
    identity = ("metadata_version", "name", "version", "requires_python")
    assert read_identity(metadata) == {
        name: " ".join(value.split())
        for name in identity
        if isinstance(value := expected.get(name), str)
    }
    dependencies = read_dependencies(metadata)
    assert dependencies.requires_dist == expected.get("requires_dist", [])
    assert dependencies.requires_python == expected.get("requires_python")
    assert dependencies.provides_extra == expected.get("provides_extra", [])


@pytest.mark.parametrize(
    ("header", "description"),
    [
        (b"Description: one line\n", "one line"),
        (b"Description: one\n        two\n          three\n        \n", "one\ntwo\n  three"),
        (b"Description: one\r\n       |two\r\n       |  three\r\n", "one\ntwo\n  three"),
        (b"description:\n        one\n", "one"),
        (b"Description: J\xc3\xb6rg \xff\n", "J\u00f6rg \ufffd"),
    ],
)
def test_a_description_in_a_header_is_read_without_its_indentation(
    header: bytes, description: str
) -> None:
    assert read_core_metadata(HEAD + header)["description"] == description
    assert read_core_metadata(header + HEAD)["description"] == description
    # The body has precedence.
    assert read_core_metadata(HEAD + header + b"\nbody\n")["description"] == "body\n"


def test_headers_are_read_up_to_a_total_size() -> None:
    third = "x" * (METADATA_HEADER_BYTES // 3)
    fields = ("Summary", "Author", "License", "Home-page")
    metadata = HEAD + "".join(f"{field}: {third}\n" for field in fields).encode()
    read = read_core_metadata(metadata)
    # Not the third one, because the headers before it take some bytes too.
    assert [field for field in fields if field.lower().replace("-", "_") in read] == [
        "Summary",
        "Author",
    ]
    assert read["summary"] == third
    short = read_core_metadata(metadata + b"Keywords: a\n")
    assert short["keywords"] == ["a"]


@pytest.mark.parametrize(("excess", "is_read"), [(0, True), (1, False)])
def test_few_headers_of_the_identity_are_read(excess: int, *, is_read: bool) -> None:
    # A field that is repeated is invalid, and the others count.
    metadata = b"Name: demo\n" * (13 + excess) + b"Metadata-Version: 2.1\nVersion: 1.0\n"
    identity = read_identity(metadata + b"Requires-Python: >=3.9\n")
    assert ("requires_python" in identity) is is_read
    assert identity["version"] == "1.0"


@pytest.mark.parametrize(("excess", "is_read"), [(0, True), (1, False)])
def test_the_total_size_may_be_exactly_the_limit(excess: int, *, is_read: bool) -> None:
    left = METADATA_HEADER_BYTES - sum(map(len, HEAD.splitlines()))
    summary = b"Summary: ".ljust(left + excess, b"x")
    assert ("summary" in read_core_metadata(HEAD + summary + b"\n")) is is_read


@pytest.mark.parametrize(("excess", "is_read"), [(0, True), (1, False)])
def test_the_number_of_headers_is_limited(excess: int, *, is_read: bool) -> None:
    count = METADATA_HEADERS - HEAD.count(b"\n") - 1 + excess
    read = read_core_metadata(HEAD + b"Classifier: x\n" * count + b"Summary: last\n")
    assert ("summary" in read) is is_read


@pytest.mark.parametrize(("excess", "is_read"), [(0, True), (1, False)])
def test_the_number_of_lines_of_headers_is_limited(excess: int, *, is_read: bool) -> None:
    left = METADATA_HEADER_LINES - HEAD.count(b"\n")
    license_text = b"License: x" + b"\n y" * (left - 1 + excess)
    assert ("license" in read_core_metadata(HEAD + license_text + b"\n")) is is_read


@pytest.mark.parametrize(
    "last", [b"Requires-Dist: other>=2", b"Requires-Dist: other\n >=2", b"Description: a text"]
)
def test_a_header_is_read_wholly_or_not_at_all(last: bytes) -> None:
    complete = read_core_metadata(HEAD + last + b"\n")
    for part in range(-3, len(last) + 3):
        other = b"X:".ljust(METADATA_HEADER_BLOCK - len(HEAD) - 1 - part, b"x") + b"\n"
        read = read_core_metadata(HEAD + other + last + b"\n\nbody\n")
        assert read in (read_core_metadata(HEAD), complete, {**complete, "description": "body\n"})


@pytest.mark.parametrize(
    "more",
    [
        b"".join(b"k%d: v\n" % number for number in range(MANY)),
        b"a:b\n" * MANY,
        b"Requires-Dist: x\n" * MANY,
        b"".join(b"Project-URL: %d, x\n" % number for number in range(MANY)),
        b"Name: demo\n" * MANY,
        b"Description: x\n" + b" y\n" * (5 * MANY),
        b"License: x\n" + b" y\n" * (5 * MANY),
        b"Keywords: " + b"a," * (5 * MANY) + b"\n",
        b":\n" * (40 * MANY),
        b"M: \n" * (20 * MANY),
        b" \n" * (40 * MANY),
        b"\n" * (20 * MANY),
        b"\n" + b"x: y\n" * (5 * MANY),
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * MANY,
    ],
    ids=lambda more: repr(more[:14]),
)
@pytest.mark.parametrize("read", [read_identity, read_dependencies, read_core_metadata])
def test_hostile_metadata_take_little_time(read: object, more: bytes) -> None:
    before = time.process_time()
    assert callable(read)
    read(HEAD + more)
    assert time.process_time() - before < 2
