"""File names and archives: tables of what is read from them, and of what is refused."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import pytest

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs import archives
from cloudrepo_server.specs.archives import read_archive
from cloudrepo_server.specs.filenames import (
    DistributionName,
    check_filename,
    check_project_name,
    parse_filename,
    same_version,
)
from tests.support.archives import core_metadata, sdist, tarred, wheel, zipped

WHEEL = parse_filename("demo-1.0-py3-none-any.whl")
SDIST = parse_filename("demo-1.0.tar.gz")
METADATA = core_metadata("demo", "1.0")

MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    ("name", "normalized"),
    [
        ("demo", "demo"),
        ("Foo.Bar", "foo-bar"),
        ("foo__bar", "foo-bar"),
        ("a-_.b", "a-b"),
        ("A", "a"),
        ("0", "0"),
        ("zope.interface", "zope-interface"),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_project_name_is_normalized(name: str, normalized: str) -> None:
    assert check_project_name(name) == normalized


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", ".a", "a.", "_a", "a b", "é", "a\n", "a/b", "x" * 256, "\u0130"]
)
def test_what_is_no_project_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="not a valid project name"):
        check_project_name(name)


@pytest.mark.parametrize(
    ("filename", "project", "version", "filetype"),
    [
        ("demo-1.0-py3-none-any.whl", "demo", "1.0", "bdist_wheel"),
        ("Foo_Bar-1.0.0-1-cp311-abi3-win_amd64.whl", "foo-bar", "1.0.0", "bdist_wheel"),
        ("foo.bar-2!1.0rc1+l.1-py2.py3-none-any.whl", "foo-bar", "2!1.0rc1+l.1", "bdist_wheel"),
        ("demo-1.0-cp314-abi3t-manylinux_2_28_x86_64.whl", "demo", "1.0", "bdist_wheel"),
        ("demo-1.0-cp313-none-pyemscripten_2025_0_wasm32.whl", "demo", "1.0", "bdist_wheel"),
        ("demo-1.0.tar.gz", "demo", "1.0", "sdist"),
        ("demo-1.0.zip", "demo", "1.0", "sdist"),
        ("foo_bar-1.0.post1.dev2.tar.gz", "foo-bar", "1.0.post1.dev2", "sdist"),
        ("foo-bar-1.0.tar.gz", "foo-bar", "1.0", "sdist"),
        ("Foo.Bar-v1.0.tar.gz", "foo-bar", "1.0", "sdist"),
        ("demo-1.0-1.tar.gz", "demo-1-0", "1", "sdist"),
    ],
)
def test_a_file_name_says_project_version_and_kind(
    filename: str, project: str, version: str, filetype: str
) -> None:
    name = parse_filename(filename)
    assert (name.project, name.version, name.filetype) == (project, version, filetype)


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("demo-1.0-1.tar.gz", "demo", "1.0.post1"),
        ("foo-bar-1.0.tar.gz", "foo-bar", "1.0"),
        ("foo-bar-2-1.0.tar.gz", "foo-bar-2", "1.0"),
        ("backports.ssl-match-hostname-3.7.0.1.tar.gz", "backports-ssl-match-hostname", "3.7.0.1"),
    ],
)
def test_a_known_project_settles_where_an_old_version_begins(
    filename: str, project: str, version: str
) -> None:
    name = parse_filename(filename, project=project)
    assert (name.project, name.version) == (project, version)


@pytest.mark.parametrize(
    "filename",
    [
        *("demo", "demo-1.0", "demo-1.0.egg", "demo-1.0.tar.bz2", "demo-1.0.exe", "demo-1.0.rpm"),
        *("demo.whl", "demo-1.0.whl", "demo-1.0-py3-none.whl", "demo-x-py3-none-any.whl"),
        *("demo-1.0-a-py3-none-any.whl", "demo-1.0-1-py3-none-any-more.whl", "-1.0.tar.gz"),
        *("demo-.tar.gz", "demo-x.tar.gz", "-.zip", ".tar.gz", "demo__x-1.0-py3-none-any.whl"),
        *("demo-1.0-variants.json", "demo-1.0.tar.gz.asc", "demo-1.0.tar.gz.metadata"),
    ],
)
def test_what_is_no_distributions_name_is_refused(filename: str) -> None:
    with pytest.raises(InvalidError, match="file"):
        parse_filename(filename)


@pytest.mark.parametrize(
    "filename",
    ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "a\x00", "a\n", "é", "a:b", "a%b", "x" * 256],
)
def test_characters_that_no_file_name_has_are_refused(filename: str) -> None:
    with pytest.raises(InvalidError, match="file name"):
        check_filename(filename)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.0", "1.0.0", True),
        ("1.0", "v1", True),
        ("1.0rc1", "1.0.RC.1", True),
        ("1.0", "1.0+local", False),
        ("1.0", "0!1.0", True),
        ("1.0", "1!1.0", False),
        ("nonsense", "nonsense", True),
        ("nonsense", "1.0", False),
    ],
)
def test_versions_are_compared_by_what_they_mean(one: str, other: str, *, same: bool) -> None:
    assert same_version(one, other) is same
    assert same_version(other, one) is same


def test_a_wheel_gives_its_metadata() -> None:
    archive = wheel(requires_python=">=3.8, <4")
    contents = read_archive(WHEEL, io.BytesIO(archive.data))
    assert contents.metadata == archive.metadata
    assert contents.requires_python == ">=3.8, <4"


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
@pytest.mark.parametrize(
    ("metadata_version", "reliable"), [("1.2", False), ("2.1", False), ("2.2", True), ("2.6", True)]
)
def test_an_sdist_gives_metadata_that_can_be_relied_on(
    ending: str, metadata_version: str, *, reliable: bool
) -> None:
    archive = sdist(ending=ending, metadata_version=metadata_version, requires_python=">=3.9")
    contents = read_archive(parse_filename(archive.filename), io.BytesIO(archive.data))
    assert contents.metadata == (archive.metadata if reliable else None)
    assert contents.requires_python == ">=3.9"


def test_an_sdist_without_metadata_is_an_sdist() -> None:
    for name, data in ((SDIST, tarred({"demo-1.0/setup.py": b""})), (SDIST, tarred({}))):
        contents = read_archive(name, io.BytesIO(data))
        assert (contents.metadata, contents.requires_python) == (None, None)


def test_only_the_topmost_pkg_info_counts() -> None:
    inner = core_metadata("demo", "1.0", metadata_version="2.2", requires_python=">=9")
    data = tarred({"demo-1.0/x/PKG-INFO": inner, "PKG-INFO": inner})
    assert read_archive(SDIST, io.BytesIO(data)).metadata is None


@pytest.mark.parametrize(
    ("metadata", "requires_python"),
    [
        (b"Metadata-Version: 2.1\r\nName: demo\r\nVersion: 1.0\r\n\r\nName: other\r\n", None),
        (b"metadata-version:2.1\nNAME:  Demo\nversion:\t1.0.0\n", None),
        (METADATA + b"Requires-Python: >=3.8,\n  <4\n\t,!=3.9\n", ">=3.8, <4 ,!=3.9"),
        (METADATA + b"Description: x\n        Requires-Python: >=1\n", None),
        (METADATA + b"Summary: Requires-Python: >=1\n", None),
        (METADATA + b"\nRequires-Python: >=1\n", None),
        (METADATA + "Author: Ä\nSummary: \N{SNOWMAN}\n".encode(), None),
        (METADATA + b"Author: \xe4 in Latin-1\n", None),
        (METADATA + b"no header at all\nRequires-Python: >=1\n", None),
    ],
)
def test_metadata_are_read_as_the_email_package_reads_them(
    metadata: bytes, requires_python: str | None
) -> None:
    contents = read_archive(WHEEL, io.BytesIO(wheel(metadata=metadata).data))
    assert contents.metadata == metadata
    assert contents.requires_python == requires_python


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_wheel_may_be_compressed_in_any_way(compression: int) -> None:
    data = zipped({"demo-1.0.dist-info/METADATA": METADATA}, compression=compression)
    assert read_archive(WHEEL, io.BytesIO(data)).metadata == METADATA


def test_a_wheel_may_have_a_comment_and_bytes_before_it() -> None:
    data = io.BytesIO(b"#!/usr/bin/env python\n" + wheel().data)
    with zipfile.ZipFile(data, "a") as archive:
        archive.comment = b"PK" * 1000
    assert read_archive(WHEEL, data).metadata == wheel().metadata


# Hostile archives: small files that claim, or unpack to, far more than they are.


def gzipped(*parts: bytes, repeat: tuple[bytes, int] = (b"", 0)) -> bytes:
    """The parts, then a block repeated, in a gzip file that was never whole in memory."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [compressor.compress(part) for part in parts]
    block, times = repeat
    pieces += [compressor.compress(block) for _ in range(times)]
    return b"".join([*pieces, compressor.flush()])


def tar_header(kind: bytes, size: int, name: str = "demo-1.0/x") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT)


def huge_tar_header(kind: bytes) -> bytes:
    return gzipped(tar_header(kind, 32 * MEBIBYTE), repeat=(b"a" * MEBIBYTE, 32))


def endless_sparse_header() -> bytes:
    first = bytearray(tar_header(tarfile.GNUTYPE_SPARSE, 512))
    first[482] = 1  # there is more
    first[148:156] = b" " * 8
    first[148:156] = b"%06o\x00 " % sum(first)
    more = bytearray(b"00000000001\x0000000000001\x00" * 21 + bytes(8))
    more[504] = 1
    return gzipped(bytes(first), repeat=(bytes(more) * 2048, 10))


def nested_pax_headers() -> bytes:
    return gzipped(
        repeat=((tar_header(tarfile.XHDTYPE, 512) + b"11 path=a\n".ljust(512, b"\0")) * 100, 50)
    )


def large_pkg_info() -> bytes:
    header = tar_header(tarfile.REGTYPE, 64 * MEBIBYTE, "demo-1.0/PKG-INFO")
    return gzipped(header, repeat=(b"a" * MEBIBYTE, 64))


def directory_entry(name: bytes = b"x") -> bytes:
    # https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT 4.3.12
    values = (20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0)
    return struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", *values) + name


def end_of_directory(members: int, size: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, members, members, size, 0, 0)


def end_of_zip64_directory(members: int, size: int) -> bytes:
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, members, members, size, 0)
    return record + struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1)


def zip_directory_beyond_the_file() -> bytes:
    return directory_entry() + end_of_directory(1, 0xFFFFFFF0)


def zip64_record_beyond_the_file() -> bytes:
    return struct.pack("<4sLQL", b"PK\x06\x07", 0, 1 << 62, 1) + end_of_directory(1, 1)


def large_metadata() -> bytes:
    return zipped({"demo-1.0.dist-info/METADATA": METADATA + b"a" * 64 * MEBIBYTE})


def unknown_compression() -> bytes:
    return wheel().data.replace(b"\x08\x00\x00\x00!\x00", b"\x63\x00\x00\x00!\x00")


def encrypted_member() -> bytes:
    data = bytearray(zipped({"demo-1.0.dist-info/METADATA": METADATA}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[6] |= 1
    return bytes(data)


def wrong_checksum() -> bytes:
    data = bytearray(zipped({"demo-1.0.dist-info/METADATA": METADATA}, compression=0))
    data[data.index(METADATA)] ^= 1
    return bytes(data)


HOSTILE: dict[Callable[[], bytes], DistributionName] = {
    **dict.fromkeys((endless_sparse_header, nested_pax_headers, large_pkg_info), SDIST),
    **dict.fromkeys(
        (
            zip_directory_beyond_the_file,
            zip64_record_beyond_the_file,
            large_metadata,
            unknown_compression,
            encrypted_member,
            wrong_checksum,
        ),
        WHEEL,
    ),
}


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_hostile_archive_is_refused(make: Callable[[], bytes]) -> None:
    name = HOSTILE[make]
    with pytest.raises(InvalidError, match=name.filename):
        read_archive(name, io.BytesIO(make()))


@pytest.mark.parametrize("limit", ["MAX_MEMBERS", "MAX_DIRECTORY"])
@pytest.mark.parametrize("zip64", [True, False])
def test_a_zip_of_more_than_is_allowed_is_refused_before_it_is_read(
    limit: str, monkeypatch: pytest.MonkeyPatch, *, zip64: bool
) -> None:
    entries, members = directory_entry() * 101, 101
    end = end_of_directory(members, len(entries))
    if zip64:
        # What older readers look at says that it is one of few.
        few = end_of_directory(1, len(directory_entry()))
        end = end_of_zip64_directory(members, len(entries)) + few
    monkeypatch.setattr(archives, limit, 100 if limit == "MAX_MEMBERS" else len(entries) - 1)
    with pytest.raises(InvalidError, match="too many members"):
        read_archive(WHEEL, io.BytesIO(entries + end))
    monkeypatch.undo()
    with pytest.raises(InvalidError, match=r"has no \.dist-info/METADATA files"):
        read_archive(WHEEL, io.BytesIO(entries + end))


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)
def test_a_huge_header_of_a_tar_is_refused(kind: bytes) -> None:
    with pytest.raises(InvalidError, match="a header is too large"):
        read_archive(SDIST, io.BytesIO(huge_tar_header(kind)))


@pytest.mark.parametrize("limit", ["MAX_MEMBERS", "MAX_UNPACKED"])
def test_a_tar_of_more_than_is_allowed_is_refused(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, limit, 100)
    allowed = gzipped(repeat=(tar_header(tarfile.REGTYPE, 0), 100))
    assert read_archive(SDIST, io.BytesIO(allowed)).metadata is None
    more = gzipped(repeat=(tar_header(tarfile.REGTYPE, 1) + bytes(512), 101))
    with pytest.raises(InvalidError, match="too large when unpacked"):
        read_archive(SDIST, io.BytesIO(more))


@pytest.mark.parametrize(
    "headers",
    [
        b"a:b\n" * 500_000,
        b"".join(b"k%d: v\n" % number for number in range(200_000)),
        b"Description: x\n" + b" y\n" * 500_000,
        b"Requires-Dist: x\n" * 100_000,
    ],
    ids=["short", "distinct", "continued", "repeated"],
)
def test_a_million_headers_do_no_harm(headers: bytes) -> None:
    contents = read_archive(WHEEL, io.BytesIO(wheel(metadata=METADATA + headers).data))
    assert contents.requires_python is None


def test_a_field_that_is_there_a_million_times_is_none() -> None:
    metadata = METADATA + b"Name: demo\n" * 200_000
    with pytest.raises(InvalidError, match="contains the metadata of ''"):
        read_archive(WHEEL, io.BytesIO(wheel(metadata=metadata).data))


def test_a_large_file_in_a_tar_is_passed_over() -> None:
    size = 32 * MEBIBYTE
    data = gzip.decompress(sdist(metadata_version="2.2").data)
    large = gzipped(
        tar_header(tarfile.REGTYPE, size), bytes(size), data.rstrip(b"\0").ljust(10240, b"\0")
    )
    assert read_archive(SDIST, io.BytesIO(large)).metadata is not None
