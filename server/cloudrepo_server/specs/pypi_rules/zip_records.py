"""The records of a zip file, read from its beginning to its end.

A zip file has two lists of its members: a header before each member, and the central directory at
the end. Programs differ in which list they use, so PyPI accepts a file only if both lists agree.
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT describes the format.
"""

import io
import struct
import zipfile
from typing import IO, Final

import msgspec

_LOCAL: Final = b"PK\3\4"
_CENTRAL: Final = b"PK\1\2"
_END: Final = b"PK\5\6"
_END_64: Final = b"PK\6\6"
_LOCATOR: Final = b"PK\6\7"

# Each format begins after the signature.
_LOCAL_FORMAT = struct.Struct("<2xHH8xLLHH")
_CENTRAL_FORMAT = struct.Struct("<24xHHH12x")
_END_FORMAT = struct.Struct("<4xHHLLH")
_END_64_FORMAT = struct.Struct("<Q12xQQQQ")
_LOCATOR_FORMAT = struct.Struct("<4xQ4x")
_EXTRA_FORMAT = struct.Struct("<HH")
_QWORD = struct.Struct("<Q")
_CENTRAL_SIZE: Final = 46
_END_64_SIZE: Final = 44

_DATA_DESCRIPTOR: Final = 0x08
_ZIP64: Final = 0x0001
_UNICODE_PATH: Final = 0x7075
_UNICODE_PATH_HEAD: Final = 5
_ZIP64_SIZES: Final = (0, 8, 16, 24, 28)
_IN_ZIP64: Final = 0xFFFFFFFF
_UNPRINTABLE = frozenset((*range(0x20), 0x7F))


class _RecordError(Exception):
    """The records are not accepted."""


class _Records(msgspec.Struct):
    """The records that were read so far."""

    local: set[bytes] = msgspec.field(default_factory=set)
    """The names of the files whose content was passed."""
    central: set[bytes] = msgspec.field(default_factory=set)
    """The names of the files in the directory."""
    central_start: int | None = None
    """The position of the directory, if it was reached."""
    central_size: int = 0
    """The size of the directory's entries so far, in bytes."""
    end_64: tuple[int, int, int] | None = None
    """The number of entries, the size and the position of the directory, if Zip64 states them."""
    has_locator: bool = False
    """Whether the locator of a Zip64 archive was read."""


def record_error(archive: zipfile.ZipFile, file: IO[bytes]) -> str | None:
    """Return what PyPI says about the records of a zip file that it does not accept, or None.

    Args:
        archive: the zip file.
        file: the same file, from which its records are read.
    """
    members = {info.orig_filename: info for info in archive.filelist}
    records = _Records()
    file.seek(0)
    try:
        while not _read_record(file, records, members):
            pass
    except _RecordError as error:
        return str(error)
    end = file.tell()
    return "Trailing data" if file.seek(0, io.SEEK_END) != end else None


def _read_record(file: IO[bytes], records: _Records, members: dict[str, zipfile.ZipInfo]) -> bool:
    """Return whether it was the last record."""
    start = file.tell()
    signature = _read(file, 4)
    if signature == _LOCAL:
        _read_local(file, records, members)
    elif signature == _CENTRAL:
        if records.central_start is None:
            records.central_start = start
        _read_central(file, records)
    elif signature == _END_64:
        records.end_64 = _read_end_64(file)
    elif signature == _LOCATOR:
        _LOCATOR_FORMAT.unpack(_read(file, _LOCATOR_FORMAT.size))
        records.has_locator = True
    elif signature == _END:
        _read_end(file, records, start)
        return True
    else:
        raise _RecordError("Unknown record signature")
    return False


def _read_local(file: IO[bytes], records: _Records, members: dict[str, zipfile.ZipInfo]) -> None:
    flags, method, packed, unpacked, name_size, extra_size = _LOCAL_FORMAT.unpack(
        _read(file, _LOCAL_FORMAT.size)
    )
    name = _read_name(file, name_size)
    packed, unpacked = _sizes(_read(file, extra_size), method, packed, unpacked)
    if flags & _DATA_DESCRIPTOR:
        raise _RecordError("ZIP contains a data descriptor")
    try:
        info = members.get(name.decode())
    except UnicodeDecodeError:
        raise _RecordError("Filename not unicode") from None
    if info is None:
        raise _RecordError("Filename not in central directory")
    if info.compress_size != packed:
        raise _RecordError("Mis-matched data size")
    if info.file_size != unpacked:
        raise _RecordError("Mis-matched file size")
    if name in records.local:
        raise _RecordError("Duplicate filename in local headers")
    records.local.add(name)
    file.seek(packed, io.SEEK_CUR)


def _sizes(extra: bytes, method: int, packed: int, unpacked: int) -> tuple[int, int]:
    """Return the packed and unpacked size, which may be in a field of the Zip64 format."""
    seen: set[int] = set()
    while extra:
        if len(extra) < _EXTRA_FORMAT.size:
            raise _RecordError("Malformed zip file")
        kind, size = _EXTRA_FORMAT.unpack_from(extra)
        data, extra = extra[4 : 4 + size], extra[4 + size :]
        if len(data) < size:
            raise _RecordError("Malformed zip file")
        if kind in seen and kind in (_ZIP64, _UNICODE_PATH):
            raise _RecordError("Invalid duplicate extra in local file")
        seen.add(kind)
        if kind == _ZIP64:
            packed, unpacked = _zip64_sizes(data, method, packed, unpacked)
        elif kind == _UNICODE_PATH:
            _check_unicode_path(data[_UNICODE_PATH_HEAD:])
    return packed, unpacked


def _zip64_sizes(data: bytes, method: int, packed: int, unpacked: int) -> tuple[int, int]:
    is_stored = method == zipfile.ZIP_STORED
    if (
        len(data) not in _ZIP64_SIZES
        or (not data and _IN_ZIP64 in (packed, unpacked))
        or (len(data) == _QWORD.size and not is_stored)
    ):
        raise _RecordError("Malformed zip file")
    if not data:
        return packed, unpacked
    (first,) = _QWORD.unpack_from(data)
    if unpacked == _IN_ZIP64:
        unpacked = first
    # A stored member has the same size packed and unpacked, so the field may have only one size.
    (packed,) = (first,) if len(data) == _QWORD.size else _QWORD.unpack_from(data, _QWORD.size)
    return packed, unpacked


def _check_unicode_path(path: bytes) -> None:
    if not _UNPRINTABLE.isdisjoint(path):
        raise _RecordError("Invalid character in filename")
    try:
        path.decode()
    except UnicodeDecodeError:
        raise _RecordError("Filename not valid UTF-8") from None


def _read_central(file: IO[bytes], records: _Records) -> None:
    name_size, extra_size, comment_size = _CENTRAL_FORMAT.unpack(_read(file, _CENTRAL_FORMAT.size))
    if comment_size:
        raise _RecordError("Comment in central directory")
    name = _read_name(file, name_size)
    _read(file, extra_size)
    records.central_size += _CENTRAL_SIZE + name_size + extra_size
    if name in records.central:
        raise _RecordError("Duplicate filename in central directory")
    if name not in records.local:
        raise _RecordError("Missing filename in local headers")
    records.central.add(name)


def _read_end_64(file: IO[bytes]) -> tuple[int, int, int]:
    size, on_disk, count, length, start = _END_64_FORMAT.unpack(_read(file, _END_64_FORMAT.size))
    if on_disk != count:
        raise _RecordError("Malformed zip file")
    if size != _END_64_SIZE:
        raise _RecordError("ZIP64 extensible data not allowed")
    return count, length, start


def _read_end(file: IO[bytes], records: _Records, position: int) -> None:
    if records.end_64 is not None and not records.has_locator:
        raise _RecordError("Malformed zip file")
    on_disk, count, length, start, comment = _END_FORMAT.unpack(_read(file, _END_FORMAT.size))
    if on_disk != count:
        raise _RecordError("Malformed zip file")
    file.seek(comment, io.SEEK_CUR)
    if records.end_64 is not None:
        count, length, start = records.end_64
    if count != len(records.central):
        raise _RecordError("Mismatched central directory records")
    # An empty zip file has no central directory.
    if start != (position if records.central_start is None else records.central_start):
        raise _RecordError("Mismatched central directory offset")
    if length != records.central_size:
        raise _RecordError("Mismatched central directory size")
    if records.central != records.local:
        raise _RecordError("Mis-matched local headers and central directory")


def _read_name(file: IO[bytes], size: int) -> bytes:
    name = _read(file, size)
    if not _UNPRINTABLE.isdisjoint(name):
        raise _RecordError("Invalid character in filename")
    return name


def _read(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _RecordError("Malformed zip file")
    return data
