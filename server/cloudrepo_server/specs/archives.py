"""A distribution's archive, read and checked."""

import contextlib
import gzip
import itertools
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from packaging.utils import canonicalize_name

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import Limits
from cloudrepo_server.specs.filenames import ArchiveMetadata, DistributionName, same_version, shown

MAX_MEMBERS = 100_000
MAX_UNPACKED = 16 << 30
MAX_DIRECTORY = 64 << 20

_MAX_OTHER_HEADERS = 1 << 20

# 2.0 was withdrawn (PEP 426), yet wheels of many years have it.
_METADATA_VERSIONS = frozenset(
    {"1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"}
)
# From 2.2 an sdist says which of its fields a build may change (PEP 643).
_RELIABLE_SDIST = (2, 2)
_END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
_END_OF_ZIP64_DIRECTORY = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
# As the email package tells a header from what follows all headers.
_HEADERS = re.compile(rb"(?:[!-9;-~]*:.*\n?|[ \t].*\n?)*+")
_WANTED = re.compile(
    rb"^(?:Metadata-Version|Name|Version|Requires-Python):.*(?:\n[ \t].*)*+",
    re.IGNORECASE | re.MULTILINE,
)
_MAX_WANTED = 16


def read_archive(
    name: DistributionName, archive: IO[bytes], limits: Limits | None = None
) -> ArchiveMetadata:
    """What the archive says, after a check that it can be read and is what its name says.

    Raises:
        InvalidError: it cannot be read, or is another project's or version's.
    """
    most = (limits or Limits()).metadata_bytes
    with _unreadable(name.filename):
        if name.filetype == "bdist_wheel":
            return _read_wheel(name, archive, most)
        if name.filename.endswith(".zip"):
            return _read_zip_sdist(name, archive, most)
        return _read_tar_sdist(name, archive, most)


def _read_wheel(name: DistributionName, archive: IO[bytes], most: int) -> ArchiveMetadata:
    with _open_zip(name, archive) as wheel:
        found = [
            info
            for info in wheel.infolist()
            if info.filename.endswith(".dist-info/METADATA") and info.filename.count("/") == 1
        ]
        if len(found) != 1:
            raise InvalidError(
                f"{name.filename} has {len(found) or 'no'} .dist-info/METADATA files; "
                "a wheel has exactly one."
            )
        metadata = _read_member(name, wheel, found[0], most)
    fields = _fields(metadata)
    version = fields.get("version", "")
    if canonicalize_name(fields.get("name", "")) != name.project:
        raise InvalidError(
            f"{name.filename} holds the metadata of {shown(fields.get('name', ''))}."
        )
    if not same_version(version, name.version):
        raise InvalidError(f"{name.filename} holds the metadata of version {shown(version)}.")
    metadata_version = fields.get("metadata_version", "")
    if metadata_version not in _METADATA_VERSIONS:
        raise InvalidError(
            f"{name.filename} has metadata version {shown(metadata_version)}; "
            f"known are {', '.join(sorted(_METADATA_VERSIONS))}."
        )
    return ArchiveMetadata(metadata, fields.get("requires_python"))


def _read_zip_sdist(name: DistributionName, archive: IO[bytes], most: int) -> ArchiveMetadata:
    with _open_zip(name, archive) as sdist:
        for info in sdist.infolist():
            if _is_pkg_info(info.filename):
                return _sdist_contents(_read_member(name, sdist, info, most))
    return ArchiveMetadata(None, None)


def _read_tar_sdist(name: DistributionName, archive: IO[bytes], most: int) -> ArchiveMetadata:
    contents = ArchiveMetadata(None, None)
    unpacked = 0
    with (
        _BoundedGzip(archive, most + _MAX_OTHER_HEADERS) as unzipped,
        tarfile.open(fileobj=unzipped, mode="r:") as sdist,
    ):
        for number, member in enumerate(sdist):
            unpacked += member.size
            if number >= MAX_MEMBERS or unpacked > MAX_UNPACKED:
                raise InvalidError(f"{name.filename} unpacks to more than is allowed.")
            if member.isfile() and _is_pkg_info(member.name):
                if member.size > most:
                    raise InvalidError(f"{name.filename} has a PKG-INFO of more than {most} bytes.")
                extracted = sdist.extractfile(member)
                if extracted is not None:
                    contents = _sdist_contents(extracted.read())
            # tarfile keeps every header it has read for as long as the archive is open.
            sdist.members.clear()  # type: ignore[attr-defined] # typeshed has it not
            sdist.pax_headers = {}
            unzipped.left = most + _MAX_OTHER_HEADERS
    return contents


class _BoundedGzip(gzip.GzipFile):
    """An archive of which only `left` bytes more may be read; what is skipped does not count.

    A few bytes can claim a header of gigabytes, which tarfile would read whole.
    """

    def __init__(self, archive: IO[bytes], left: int) -> None:
        super().__init__(fileobj=archive)
        self.left = left

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= self.left:
            raise tarfile.ReadError("a header is too large")
        self.left -= size
        return super().read(size)


def _sdist_contents(metadata: bytes) -> ArchiveMetadata:
    fields = _fields(metadata)
    version = fields.get("metadata_version", "")
    reliable = version in _METADATA_VERSIONS and (
        tuple(int(part) for part in version.split(".")) >= _RELIABLE_SDIST
    )
    return ArchiveMetadata(metadata if reliable else None, fields.get("requires_python"))


def _is_pkg_info(path: str) -> bool:
    folder, _, file = path.removeprefix("./").partition("/")
    return bool(folder) and file == "PKG-INFO"


def _open_zip(name: DistributionName, archive: IO[bytes]) -> zipfile.ZipFile:
    _check_directory(name, archive)
    return zipfile.ZipFile(archive)


def _check_directory(name: DistributionName, archive: IO[bytes]) -> None:
    # zipfile makes an object of each member, and an archive may claim millions.
    size = archive.seek(0, 2)
    archive.seek(max(0, size - _END_OF_DIRECTORY.size - 65535))
    tail = archive.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_OF_DIRECTORY.size:
        raise zipfile.BadZipFile("File is not a zip file")
    _, _, _, _, members, directory, _, _ = _END_OF_DIRECTORY.unpack_from(tail, at)
    if tail[at - _LOCATOR.size : at].startswith(b"PK\x06\x07"):
        # Of an archive with the fields of zip64, zipfile believes those alone.
        members, directory = _read_zip64_directory(archive, tail[at - _LOCATOR.size : at])
    if members > MAX_MEMBERS or directory > MAX_DIRECTORY:
        raise InvalidError(f"{name.filename} has more members than is allowed.")


def _read_zip64_directory(archive: IO[bytes], locator: bytes) -> tuple[int, int]:
    _, _, at, _ = _LOCATOR.unpack(locator)
    archive.seek(at)
    _, _, _, _, _, _, _, members, directory, _ = _END_OF_ZIP64_DIRECTORY.unpack(
        archive.read(_END_OF_ZIP64_DIRECTORY.size)
    )
    return members, directory


def _read_member(
    name: DistributionName, archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int
) -> bytes:
    with archive.open(info) as member:
        data = member.read(most + 1)
    if len(data) > most:
        raise InvalidError(f"{name.filename} has metadata of more than {most} bytes.")
    return data


def _fields(metadata: bytes) -> dict[str, str]:
    # Imported at the first upload: it brings the email package, which no page needs.
    from packaging.metadata import parse_email

    # Only what is looked at below is parsed: a wheel of a few kilobytes may hold a million headers.
    headers = _HEADERS.match(metadata)
    wanted = _WANTED.finditer(metadata, 0, headers.end() if headers else 0)
    few = b"\n".join(found[0] for found in itertools.islice(wanted, _MAX_WANTED))
    raw, _ = parse_email(few)
    return {
        key: " ".join(value.split())
        for key in ("metadata_version", "name", "version", "requires_python")
        if isinstance(value := raw.get(key), str)
    }


@contextlib.contextmanager
def _unreadable(filename: str) -> Iterator[None]:
    # Whatever a library says of hostile bytes, the sender is told that they cannot be read.
    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        ValueError,
    ) as error:
        raise InvalidError(f"{filename} is not a readable archive: {shown(str(error))}") from error
