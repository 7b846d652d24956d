"""The records of zip files: PyPI rejects a file whose local and central records disagree."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace

import pytest

from cloudrepo_server.specs.archives import open_zip
from cloudrepo_server.specs.pypi_rules.zip_records import record_error

ZIP64, UNICODE_PATH, OTHER = 0x0001, 0x7075, 0x5455
IN_ZIP64 = 0xFFFFFFFF
UTF_8 = 0x0800
NAME, DATA = b"demo.py", b"x = 1\n"


@dataclass(frozen=True)
class Member:
    """A member of a zip file, and how its two records differ from those of a valid file."""

    name: bytes = NAME
    data: bytes = DATA
    flags: int = 0
    method: int = 0
    packed: int | None = None
    unpacked: int | None = None
    extra: bytes = b""
    local_name: bytes | None = None
    comment: bytes = b""
    has_local: bool = True
    has_central: bool = True

    def local(self) -> bytes:
        name = self.name if self.local_name is None else self.local_name
        packed = len(self.data) if self.packed is None else self.packed
        unpacked = len(self.data) if self.unpacked is None else self.unpacked
        header = struct.pack(
            "<4s5H3L2H",
            *(b"PK\3\4", 20, self.flags, self.method, 0, 0, zlib.crc32(self.data)),
            *(packed, unpacked, len(name), len(self.extra)),
        )
        return header + name + self.extra + self.data

    def central(self, offset: int) -> bytes:
        header = struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\1\2", 20, 20, UTF_8, 0, 0, 0, zlib.crc32(self.data)),
            *(len(self.data), len(self.data), len(self.name), 0, len(self.comment), 0, 0, 0),
            offset,
        )
        return header + self.name + self.comment


@dataclass(frozen=True)
class Zip:
    """A zip file, and how its last records differ from those of a valid file."""

    members: tuple[Member, ...] = (Member(),)
    between: bytes = b""
    """Data between the members and the central directory."""
    after: bytes = b""
    added_count: int = 0
    added_on_disk: int = 0
    has_end_64: bool = False
    end_64_size: int = 44
    end_64_on_disk: int = 0
    comment: bytes = b""

    def data(self) -> bytes:
        content, offsets = b"", []
        for member in self.members:
            offsets.append(len(content))
            content += member.local() if member.has_local else b""
        content += self.between
        start = len(content)
        listed = [pair for pair in zip(self.members, offsets, strict=True) if pair[0].has_central]
        directory = b"".join(member.central(offset) for member, offset in listed)
        count = len(listed) + self.added_count
        content += directory
        if self.has_end_64:
            position = len(content)
            content += struct.pack(
                "<4sQ2H2L4Q",
                *(b"PK\6\6", self.end_64_size, 45, 45, 0, 0, count + self.end_64_on_disk, count),
                *(len(directory), start),
            )
            content += struct.pack("<4sLQL", b"PK\6\7", 0, position, 1)
        content += struct.pack(
            "<4s4H2LH",
            *(b"PK\5\6", 0, 0, count + self.added_on_disk, count),
            *(len(directory), start, len(self.comment)),
        )
        return content + self.comment + self.after


def extra(kind: int, data: bytes, size: int | None = None) -> bytes:
    return struct.pack("<HH", kind, len(data) if size is None else size) + data


def one(**changes: object) -> Zip:
    return Zip((replace(Member(), **changes),))  # type: ignore[arg-type] # each test has fields of a member


def sizes(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def error(content: Zip) -> str | None:
    file = io.BytesIO(content.data())
    with open_zip("demo.zip", file) as archive:
        return record_error(archive, file)


SIZE = len(DATA)
LARGE = {"packed": IN_ZIP64, "unpacked": IN_ZIP64}
PATH_HEAD = b"\1" + bytes(4)


@pytest.mark.parametrize(
    "content",
    [
        Zip(),
        Zip(()),
        Zip((Member(), Member(name="dé.py".encode()))),
        Zip(comment=b"the comment of the file"),
        Zip(has_end_64=True),
        one(extra=extra(OTHER, b"12345")),
        one(extra=extra(OTHER, b"") + extra(OTHER, b"")),
        one(extra=extra(ZIP64, b"")),
        one(extra=extra(ZIP64, sizes(SIZE))),
        one(extra=extra(ZIP64, sizes(SIZE, SIZE)), **LARGE),
        one(extra=extra(ZIP64, sizes(7, SIZE))),
        one(extra=extra(ZIP64, sizes(SIZE, SIZE, 0)), **LARGE),
        one(extra=extra(ZIP64, sizes(SIZE, SIZE, 0) + bytes(4)), **LARGE),
        one(extra=extra(ZIP64, sizes(SIZE)), **LARGE),
        one(extra=extra(UNICODE_PATH, PATH_HEAD + "dé.py".encode())),
    ],
)
def test_records_that_agree_are_accepted(content: Zip) -> None:
    assert error(content) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Zip(after=b"more"), "Trailing data"),
        (Zip(between=b"more"), "Unknown record signature"),
        (one(flags=0x08), "ZIP contains a data descriptor"),
        (one(local_name=b"d\xff.py"), "Filename not unicode"),
        (one(local_name=b"other.py"), "Filename not in central directory"),
        (
            Zip((Member(), Member(name=b"x", has_central=False))),
            "Filename not in central directory",
        ),
        (Zip((Member(), Member(name=b"x", has_local=False))), "Missing filename in local headers"),
        (Zip((Member(), Member())), "Duplicate filename in local headers"),
        (
            Zip((Member(), Member(data=b"", has_local=False), Member(name=b"x"))),
            "Mis-matched data size",
        ),
        (Zip((Member(), Member(has_local=False))), "Duplicate filename in central directory"),
        (one(packed=SIZE - 1), "Mis-matched data size"),
        (one(unpacked=SIZE - 1), "Mis-matched file size"),
        (one(name=b"d\x1f.py"), "Invalid character in filename"),
        (one(name=b"d\x7f.py"), "Invalid character in filename"),
        (one(comment=b"the comment of a member"), "Comment in central directory"),
        (one(extra=b"123"), "Malformed zip file"),
        (one(extra=extra(OTHER, b"12", size=3)), "Malformed zip file"),
        (one(extra=extra(ZIP64, b"1234")), "Malformed zip file"),
        (one(extra=extra(ZIP64, b""), packed=IN_ZIP64), "Malformed zip file"),
        (one(extra=extra(ZIP64, b""), unpacked=IN_ZIP64), "Malformed zip file"),
        (one(extra=extra(ZIP64, sizes(SIZE)), method=8), "Malformed zip file"),
        (one(extra=extra(ZIP64, sizes(SIZE, 7)), **LARGE), "Mis-matched data size"),
        (one(extra=extra(ZIP64, sizes(7, SIZE)), **LARGE), "Mis-matched file size"),
        (
            one(extra=extra(ZIP64, sizes(SIZE)) * 2),
            "Invalid duplicate extra in local file",
        ),
        (
            one(extra=extra(UNICODE_PATH, PATH_HEAD + NAME) * 2),
            "Invalid duplicate extra in local file",
        ),
        (
            one(extra=extra(UNICODE_PATH, PATH_HEAD + b"d\0.py")),
            "Invalid character in filename",
        ),
        (one(extra=extra(UNICODE_PATH, PATH_HEAD + b"d\xff.py")), "Filename not valid UTF-8"),
        (Zip(added_count=1, added_on_disk=-1), "Malformed zip file"),
        (Zip(added_count=1), "Mismatched central directory records"),
        (Zip(has_end_64=True, end_64_on_disk=1), "Malformed zip file"),
    ],
)
def test_records_that_disagree_are_rejected(content: Zip, message: str) -> None:
    assert error(content) == message


def test_extensible_data_are_rejected() -> None:
    try:
        found = error(Zip(has_end_64=True, end_64_size=45))
    except zipfile.BadZipFile as rejected:
        # The zipfile of Python 3.15 rejects the file itself.
        found = str(rejected)
    assert found is not None
    assert found.startswith(("ZIP64 extensible data not allowed", "Corrupt zip64"))
