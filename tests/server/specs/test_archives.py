"""Archives: metadata are read from valid archives; invalid archives are rejected."""

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
from cloudrepo_server.limits import Limits
from cloudrepo_server.specs import archives
from cloudrepo_server.specs.archives import read_archive, read_tiny_archive
from cloudrepo_server.specs.filenames import DistributionName, parse_filename
from tests.support.archives import core_metadata, incompressible, sdist, tarred, wheel, zipped

WHEEL = parse_filename("demo-1.0-py3-none-any.whl")
SDIST = parse_filename("demo-1.0.tar.gz")
METADATA = core_metadata("demo", "1.0")

MEBIBYTE = 1 << 20


def test_the_metadata_of_a_wheel_are_read() -> None:
    archive = wheel(requires_python=">=3.8, <4")
    result = read_archive(WHEEL, io.BytesIO(archive.data))
    assert result.metadata == archive.metadata
    assert result.requires_python == ">=3.8, <4"


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
@pytest.mark.parametrize(
    ("metadata_version", "reliable"), [("1.2", False), ("2.1", False), ("2.2", True), ("2.6", True)]
)
def test_only_reliable_metadata_of_an_sdist_are_read(
    ending: str, metadata_version: str, *, reliable: bool
) -> None:
    archive = sdist(ending=ending, metadata_version=metadata_version, requires_python=">=3.9")
    result = read_archive(parse_filename(archive.filename), io.BytesIO(archive.data))
    assert result.metadata == (archive.metadata if reliable else None)
    assert result.requires_python == ">=3.9"


def test_an_sdist_without_metadata_is_accepted() -> None:
    for name, data in ((SDIST, tarred({"demo-1.0/setup.py": b""})), (SDIST, tarred({}))):
        result = read_archive(name, io.BytesIO(data))
        assert (result.metadata, result.requires_python) == (None, None)


@pytest.mark.parametrize("prefix", ["", "./"])
def test_the_pkg_info_of_the_top_folder_is_read(prefix: str) -> None:
    metadata = core_metadata("demo", "1.0", metadata_version="2.2", requires_python=">=9")
    data = tarred({f"{prefix}demo-1.0/PKG-INFO": metadata})
    assert read_archive(SDIST, io.BytesIO(data)).metadata == metadata


def test_only_the_pkg_info_of_the_top_folder_is_read() -> None:
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
def test_headers_are_parsed_like_the_email_package_does(
    metadata: bytes, requires_python: str | None
) -> None:
    result = read_archive(WHEEL, io.BytesIO(wheel(metadata=metadata).data))
    assert result.metadata == metadata
    assert result.requires_python == requires_python


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_every_zip_compression_is_accepted(compression: int) -> None:
    data = zipped({"demo-1.0.dist-info/METADATA": METADATA}, compression=compression)
    assert read_archive(WHEEL, io.BytesIO(data)).metadata == METADATA


def test_a_zip_comment_and_a_prefix_are_accepted() -> None:
    data = io.BytesIO(b"#!/usr/bin/env python\n" + wheel().data)
    with zipfile.ZipFile(data, "a") as archive:
        archive.comment = b"PK" * 1000
    assert read_archive(WHEEL, data).metadata == wheel().metadata


# Hostile archives: small files that declare, or unpack to, very large sizes.


def gzipped(*parts: bytes, repeat: tuple[bytes, int] = (b"", 0)) -> bytes:
    """Return a gzip file of the parts and a repeated block, which is never in memory as a whole."""
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
    first[482] = 1  # an extended header follows
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


LOCATOR = bytes(20)


def end_of_zip64_directory(members: int, size: int) -> bytes:
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, members, members, size, 0)
    return record + struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1)


def zip_directory_beyond_the_file() -> bytes:
    return directory_entry() + end_of_directory(1, 0xFFFFFFF0)


def zip64_record_beyond_the_file() -> bytes:
    return struct.pack("<4sLQL", b"PK\x06\x07", 0, 1 << 62, 1) + end_of_directory(1, 1)


def large_metadata() -> bytes:
    return zipped({"demo-1.0.dist-info/METADATA": METADATA + b"a" * 64 * MEBIBYTE})


def wrong_checksum_of(compression: int) -> bytes:
    data = bytearray(zipped({"demo-1.0.dist-info/METADATA": METADATA}, compression=compression))
    data[data.index(b"PK\x01\x02") + 16] ^= 1
    return bytes(data)


def wrong_checksum_of_bzip2() -> bytes:
    return wrong_checksum_of(zipfile.ZIP_BZIP2)


def wrong_checksum_of_lzma() -> bytes:
    return wrong_checksum_of(zipfile.ZIP_LZMA)


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
            wrong_checksum_of_bzip2,
            wrong_checksum_of_lzma,
        ),
        WHEEL,
    ),
}


def negative_size(header: bytes, size: int) -> bytes:
    """Return a tar header with a negative size, which tarfile reads in base 256."""
    changed = bytearray(header)
    changed[124:136] = (256**12 - size).to_bytes(12, "big")
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\x00 " % sum(changed)
    return bytes(changed)


def tarfile_ends_at(header: bytes) -> bool:
    """Return whether tarfile reads no member with this header, nor those after it."""
    try:
        tarfile.open(fileobj=io.BytesIO(header), mode="r:").close()
    except tarfile.ReadError:
        return True
    return False


@pytest.mark.parametrize("behind", [0, 32 * MEBIBYTE])
def test_a_tar_whose_members_never_end_is_rejected(behind: int) -> None:
    empty = tar_header(tarfile.REGTYPE, 0)
    negative = negative_size(empty, 512)
    data = gzipped(tar_header(tarfile.REGTYPE, behind), bytes(behind), empty, negative)
    # The tarfile module of Python 3.14.10, 3.15 and later does.
    if tarfile_ends_at(negative):
        assert read_archive(SDIST, io.BytesIO(data)).metadata is None
    else:
        with pytest.raises(InvalidError, match="begins before the end of the previous one"):
            read_archive(SDIST, io.BytesIO(data))


@pytest.mark.parametrize("folders", [1, 1000])
def test_dist_info_folders_with_many_hyphens_take_little_time(folders: int) -> None:
    hyphens = 30_000 if folders == 1 else 400
    files = {f"demo{'-' * (hyphens + number)}x-1.0.dist-info/x": b"" for number in range(folders)}
    data = zipped({"demo_x-1.0.dist-info/METADATA": core_metadata("demo-x", "1.0"), **files})
    with pytest.raises(InvalidError, match=r"another project or version|a wheel has exactly one"):
        read_archive(parse_filename("demo_x-1.0-py3-none-any.whl"), io.BytesIO(data))


def lying_end_of_directory(entries: bytes) -> bytes:
    return entries + end_of_directory(1, len(entries))


def lying_zip64_directory(entries: bytes) -> bytes:
    # Older Pythons read the record before the locator, newer ones that at the stated position.
    small = end_of_zip64_directory(1, len(directory_entry()))[: -len(LOCATOR)]
    real = end_of_zip64_directory(1, len(entries))[: -len(LOCATOR)]
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    return small + entries + real + locator + end_of_directory(1, len(directory_entry()))


@pytest.mark.parametrize("make", [lying_end_of_directory, lying_zip64_directory])
def test_the_members_of_a_zip_are_counted_whatever_it_declares(
    make: Callable[[bytes], bytes],
) -> None:
    entries = directory_entry() * (archives.MAX_MEMBERS + 1)
    # The zipfile of Python 3.15 rejects the second archive itself.
    with pytest.raises(InvalidError, match=r"too many members|Corrupt zip64"):
        read_archive(WHEEL, io.BytesIO(make(entries)))


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_hostile_archive_is_rejected(make: Callable[[], bytes]) -> None:
    name = HOSTILE[make]
    with pytest.raises(InvalidError, match=name.filename):
        read_archive(name, io.BytesIO(make()))


@pytest.mark.parametrize("content", [b"", b"not a zip file", wheel().data[:-1], b"PK\x05\x06"])
def test_a_file_that_is_no_zip_archive_is_rejected(content: bytes) -> None:
    with pytest.raises(InvalidError, match="is not a readable archive: 'File is not a zip file'"):
        read_archive(WHEEL, io.BytesIO(content))


def test_an_empty_zip_archive_is_a_wheel_without_metadata() -> None:
    with pytest.raises(InvalidError, match=r"has no \.dist-info/METADATA files"):
        read_archive(WHEEL, io.BytesIO(zipped({})))


@pytest.mark.parametrize("limit", ["MAX_MEMBERS", "MAX_DIRECTORY"])
@pytest.mark.parametrize("zip64", [True, False])
def test_a_zip_with_too_many_members_is_rejected_before_they_are_read(
    limit: str, monkeypatch: pytest.MonkeyPatch, *, zip64: bool
) -> None:
    entries, members = directory_entry() * 101, 101
    end = end_of_directory(members, len(entries))
    if zip64:
        # The fields that older readers use declare few members.
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
def test_a_huge_tar_header_is_rejected(kind: bytes) -> None:
    with pytest.raises(InvalidError, match="a header is too large"):
        read_archive(SDIST, io.BytesIO(huge_tar_header(kind)))


def test_a_tar_with_too_many_members_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 100)
    allowed = gzipped(repeat=(tar_header(tarfile.REGTYPE, 0), 100))
    assert read_archive(SDIST, io.BytesIO(allowed)).metadata is None
    more = gzipped(repeat=(tar_header(tarfile.REGTYPE, 0), 101))
    with pytest.raises(InvalidError, match="more than 100 members"):
        read_archive(SDIST, io.BytesIO(more))


def tar_of_large_members() -> bytes:
    header = tar_header(tarfile.REGTYPE, 32 * MEBIBYTE)
    return gzipped(repeat=(header + bytes(32 * MEBIBYTE), 3))


def tar_of_many_members() -> bytes:
    return gzipped(repeat=((tar_header(tarfile.REGTYPE, 1 << 16) + bytes(1 << 16)) * 64, 20))


def tar_of_sparse_members() -> bytes:
    # The size that tarfile reports for a sparse member is not the size that is unpacked.
    header = bytearray(tar_header(tarfile.GNUTYPE_SPARSE, 32 * MEBIBYTE))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\x00 " % sum(header)
    return gzipped(repeat=(bytes(header) + bytes(32 * MEBIBYTE), 3))


@pytest.mark.parametrize("make", [tar_of_large_members, tar_of_many_members, tar_of_sparse_members])
def test_a_tar_may_not_unpack_to_many_times_its_size(make: Callable[[], bytes]) -> None:
    data = make()
    assert len(data) < MEBIBYTE
    with pytest.raises(InvalidError, match="too large when unpacked"):
        read_archive(SDIST, io.BytesIO(data))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE])
def test_a_tar_that_compresses_little_may_be_large(
    monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    monkeypatch.setattr(archives, "FREE_UNPACKED", 0)
    members = [(tar_header(kind, 1 << 16) + incompressible(1 << 16)) for _ in range(10)]
    assert read_archive(SDIST, io.BytesIO(gzipped(*members))).metadata is None
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1 << 18)
    with pytest.raises(InvalidError, match="too large when unpacked"):
        read_archive(SDIST, io.BytesIO(gzipped(*members)))


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
def test_a_million_headers_are_harmless(headers: bytes) -> None:
    result = read_archive(WHEEL, io.BytesIO(wheel(metadata=METADATA + headers).data))
    assert result.requires_python is None


def test_a_field_that_is_repeated_a_million_times_is_ignored() -> None:
    metadata = METADATA + b"Name: demo\n" * 200_000
    with pytest.raises(InvalidError, match="contains the metadata of ''"):
        read_archive(WHEEL, io.BytesIO(wheel(metadata=metadata).data))


def test_a_large_file_in_a_tar_is_skipped() -> None:
    size = 32 * MEBIBYTE
    data = gzip.decompress(sdist(metadata_version="2.2").data)
    large = gzipped(
        tar_header(tarfile.REGTYPE, size), bytes(size), data.rstrip(b"\0").ljust(10240, b"\0")
    )
    assert read_archive(SDIST, io.BytesIO(large)).metadata is not None


TOO_LARGE = archives.TINY_BYTES + 1


@pytest.mark.parametrize(
    "data",
    [
        wheel(padding=TOO_LARGE).data,
        wheel(metadata=METADATA + bytes(TOO_LARGE)).data,
        zipped({"demo-1.0.dist-info/METADATA": METADATA}, compression=zipfile.ZIP_BZIP2),
        zipped({"demo-1.0.dist-info/METADATA": METADATA}, compression=zipfile.ZIP_LZMA),
        zipped({"demo-1.0.dist-info/METADATA": METADATA, **{f"{n}": b"" for n in range(64)}}),
        wheel().data + directory_entry() * archives.TINY_MEMBERS,
    ],
    ids=["large", "large-unpacked", "bzip2", "lzma", "many-members", "undeclared-members"],
)
def test_only_tiny_wheels_are_read_at_once(data: bytes) -> None:
    assert read_tiny_archive(WHEEL, wheel().data, Limits()) == read_archive(
        WHEEL, io.BytesIO(wheel().data)
    )
    assert read_tiny_archive(WHEEL, data, Limits()) is None


def test_no_sdist_is_read_at_once() -> None:
    """A tar does not state its unpacked size, and a zip may have the name of a tar."""
    for archive in (sdist(), sdist(ending=".zip")):
        assert read_tiny_archive(parse_filename(archive.filename), archive.data, Limits()) is None


def test_a_tiny_wheel_is_checked_like_any_other() -> None:
    data = wheel("other").data
    with pytest.raises(InvalidError, match="contains the metadata of 'other'"):
        read_tiny_archive(WHEEL, data, Limits())
    with pytest.raises(InvalidError, match="is not a readable archive"):
        read_tiny_archive(WHEEL, b"no zip", Limits())
    metadata = wheel(metadata=METADATA + bytes(100)).data
    assert read_tiny_archive(WHEEL, metadata, Limits(metadata_bytes=100)) is None


@pytest.mark.parametrize(
    ("folder", "version"),
    [
        ("demo-1.0", "1.0"),
        ("Demo-1.0", "1.0"),
        ("demo-1.0.0", "1.0"),
        ("DEMO-v1.0", "1.0"),
        ("demo-1.0_rc0.dev", "1.0rc0.dev0"),
        ("demo-1.0_1", "1.0.post1"),
    ],
)
def test_a_dist_info_folder_may_spell_its_name_and_version_differently(
    folder: str, version: str
) -> None:
    name = parse_filename(f"demo-{version}-py3-none-any.whl")
    data = zipped({f"{folder}.dist-info/METADATA": core_metadata("demo", version)})
    assert read_archive(name, io.BytesIO(data)).metadata is not None


@pytest.mark.parametrize(
    "files",
    [
        {"other-1.0.dist-info/METADATA": METADATA},
        {"demo-2.0.dist-info/METADATA": METADATA},
        {"demo.dist-info/METADATA": METADATA},
        {".dist-info/METADATA": METADATA},
        {"demo_x-1.0.dist-info/METADATA": METADATA},
        {"demo-1.0.dist-info/METADATA": METADATA, "other-1.0.dist-info/RECORD": b""},
        {"demo-1.0.dist-info/METADATA": METADATA, "demo-2.0.Dist-Info/RECORD": b""},
    ],
)
def test_a_dist_info_folder_of_another_project_or_version_is_rejected(
    files: dict[str, bytes],
) -> None:
    with pytest.raises(InvalidError, match="a folder of another project or version"):
        read_archive(WHEEL, io.BytesIO(zipped(files)))
