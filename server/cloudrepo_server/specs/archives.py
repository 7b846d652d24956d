"""The archives of distributions: wheels and sdists."""

import contextlib
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from packaging.utils import canonicalize_name

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_PROJECT_NAME, MAX_VERSION, Limits
from cloudrepo_server.specs.bounded_gzip import BoundedGzip
from cloudrepo_server.specs.bounded_zip import BoundedZip, TooManyMembersError
from cloudrepo_server.specs.core_metadata import read_identity
from cloudrepo_server.specs.filenames import ArchiveMetadata, DistributionName, quote, same_version

MAX_MEMBERS = 100_000
MAX_UNPACKED = 16 << 30
# As on PyPI: unpacking a small file must not take as long as a large one. The ratio of unpacked to
# packed size is not checked below FREE_UNPACKED.
MAX_RATIO = 50
FREE_UNPACKED = 64 << 20
MAX_DIRECTORY = 64 << 20

TINY_BYTES = 64 << 10
TINY_MEMBERS = 64

_MAX_OTHER_HEADERS = 1 << 20

# 2.0 was withdrawn (PEP 426), but many existing wheels have it.
_METADATA_VERSIONS = frozenset(
    {"1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"}
)
# Since 2.2 an sdist lists the fields that a build may change (PEP 643).
_RELIABLE_SDIST = (2, 2)
# A wheel has exactly one such folder. Comparing many names with the file name would be slow.
_MAX_DIST_INFO = 16
_DIST_INFO = ".dist-info"
# zipfile unpacks these no further than necessary.
_FAST = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


UNREADABLE_ERRORS = (
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
)
"""The errors that the libraries raise for corrupt archives."""


def read_archive(
    name: DistributionName,
    archive: IO[bytes],
    *,
    limits: Limits | None = None,
    checks_identity: bool = True,
) -> ArchiveMetadata:
    """Return the metadata in an archive, after checking that they match the file name.

    Args:
        name: the name of the file.
        archive: its content.
        limits: the limit on the size of the metadata.
        checks_identity: whether metadata of another project or version are rejected.

    Raises:
        InvalidError: it cannot be read, or belongs to another project or version.
    """
    limit = (limits or Limits()).metadata_bytes
    with invalid_if_unreadable(name.filename):
        if name.filetype == "bdist_wheel" and not checks_identity:
            return _read_wheel_unchecked(name, archive, limit)
        if name.filetype == "bdist_wheel":
            return _read_wheel(name, archive, limit)
        if name.filename.endswith(".zip"):
            return _read_zip_sdist(name, archive, limit)
        return _read_tar_sdist(name, archive, limit)


def read_tiny_archive(
    name: DistributionName, archive: bytes, limits: Limits
) -> ArchiveMetadata | None:
    """Return the metadata in an archive if reading them certainly takes little time, else None.

    Most wheels of up to `TINY_BYTES` take little time. Their directory has at most `TINY_MEMBERS`
    entries. One member is unpacked, to at most `TINY_BYTES`. An sdist may take long, because the
    unpacked size of a tar is not known before it is unpacked.

    Raises:
        InvalidError: it cannot be read, or belongs to another project or version.
    """
    if name.filetype != "bdist_wheel" or len(archive) > TINY_BYTES:
        return None
    limit = min(limits.metadata_bytes, TINY_BYTES)
    try:
        with invalid_if_unreadable(name.filename):
            return _read_wheel(name, io.BytesIO(archive), limit, tiny=True)
    except (_NotTinyError, TooManyMembersError):
        return None


class _NotTinyError(Exception):
    """Reading an archive may take long."""


def find_metadata(filename: str, archive: IO[bytes], limits: Limits) -> bytes | None:
    """Return the core metadata in a wheel or an sdist, or None if there are none.

    Raises:
        InvalidError: the archive cannot be read.
    """
    limit = limits.metadata_bytes
    with invalid_if_unreadable(filename):
        if filename.endswith((".whl", ".zip")):
            is_wheel = filename.endswith(".whl")
            wanted = dist_info(filename) + "/METADATA"
            with open_zip(filename, archive) as opened:
                for info in opened.infolist():
                    path = info.filename
                    if path == wanted if is_wheel else _is_pkg_info(path):
                        return read_member(filename, opened, info, limit)
            return None
        for member, sdist in tar_members(filename, archive, limit):
            if member.isfile() and _is_pkg_info(member.name) and member.size <= limit:
                extracted = sdist.extractfile(member)
                return None if extracted is None else extracted.read()
    return None


def _read_wheel(
    name: DistributionName, archive: IO[bytes], limit: int, *, tiny: bool = False
) -> ArchiveMetadata:
    with _open_tiny_zip(archive) if tiny else open_zip(name.filename, archive) as wheel:
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
        folders = {info.filename.partition("/")[0] for info in wheel.infolist()}
        dist_infos = sorted(each for each in folders if each.lower().endswith(_DIST_INFO))
        if len(dist_infos) > _MAX_DIST_INFO:
            raise InvalidError(
                f"{name.filename} has {len(dist_infos)} .dist-info folders; a wheel has exactly "
                "one."
            )
        if tiny and (found[0].compress_type not in _FAST or found[0].file_size > limit):
            raise _NotTinyError
        metadata = read_member(name.filename, wheel, found[0], limit)
    fields = read_identity(metadata)
    version = fields.get("version", "")
    if canonicalize_name(fields.get("name", "")) != name.project:
        raise InvalidError(
            f"{name.filename} contains the metadata of {quote(fields.get('name', ''))}."
        )
    if not same_version(version, name.version):
        raise InvalidError(f"{name.filename} contains the metadata of version {quote(version)}.")
    for folder in dist_infos:
        if not _is_dist_info_of(name, folder):
            raise InvalidError(
                f"{name.filename} contains {quote(folder)}, a folder of another project or "
                "version: rebuild the wheel instead of renaming it."
            )
    metadata_version = fields.get("metadata_version", "")
    if metadata_version not in _METADATA_VERSIONS:
        raise InvalidError(
            f"{name.filename} has the unknown metadata version {quote(metadata_version)}; "
            f"use one of {', '.join(sorted(_METADATA_VERSIONS))}."
        )
    return ArchiveMetadata(metadata, fields.get("requires_python"))


def _read_wheel_unchecked(
    name: DistributionName, archive: IO[bytes], limit: int
) -> ArchiveMetadata:
    path = dist_info(name.filename) + "/METADATA"
    with open_zip(name.filename, archive) as wheel:
        metadata = read_member(name.filename, wheel, wheel.getinfo(path), limit)
    return ArchiveMetadata(metadata, read_identity(metadata).get("requires_python"))


def dist_info(filename: str) -> str:
    """Return the name of the folder of a wheel that has its metadata."""
    return "-".join(filename.split("-", 2)[:2]) + _DIST_INFO


def _is_dist_info_of(name: DistributionName, folder: str) -> bool:
    # Old wheels contain names and versions that are not normalized, so each hyphen may separate
    # them.
    stem = folder[: -len(_DIST_INFO)]
    if len(stem) > MAX_PROJECT_NAME + MAX_VERSION:
        # The work grows with the square of the length.
        return False
    return any(
        canonicalize_name(stem[:at]) == name.project
        and same_version(stem[at + 1 :].replace("_", "-"), name.version)
        for at, sign in enumerate(stem)
        if sign == "-"
    )


def _read_zip_sdist(name: DistributionName, archive: IO[bytes], limit: int) -> ArchiveMetadata:
    with open_zip(name.filename, archive) as sdist:
        for info in sdist.infolist():
            if _is_pkg_info(info.filename):
                return _sdist_metadata(read_member(name.filename, sdist, info, limit))
    return ArchiveMetadata(None, None)


def _read_tar_sdist(name: DistributionName, archive: IO[bytes], limit: int) -> ArchiveMetadata:
    metadata = ArchiveMetadata(None, None)
    for member, sdist in tar_members(name.filename, archive, limit):
        if member.isfile() and _is_pkg_info(member.name):
            if member.size > limit:
                raise InvalidError(f"{name.filename} has a PKG-INFO larger than {limit} bytes.")
            extracted = sdist.extractfile(member)
            if extracted is not None:
                metadata = _sdist_metadata(extracted.read())
    return metadata


def tar_members(
    filename: str, archive: IO[bytes], limit: int, *, content_limit: int | None = None
) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Yield each member of a compressed tar file, with the tar file, in bounded memory.

    Args:
        filename: the name of the file.
        archive: its content.
        limit: the bytes that can be read from the header and from the content of each member.
        content_limit: the bytes that can be read from the content, if that limit differs.

    Raises:
        InvalidError: the file has too many members.
        tarfile.TarError: it is not a tar file, or too large when unpacked.
    """
    most = min(MAX_UNPACKED, max(FREE_UNPACKED, MAX_RATIO * archive.seek(0, 2)))
    archive.seek(0)
    with (
        BoundedGzip(archive, left=limit + _MAX_OTHER_HEADERS, most=most) as unzipped,
        tarfile.open(fileobj=unzipped, mode="r:") as sdist,
    ):
        for number, member in enumerate(sdist):
            if number >= MAX_MEMBERS:
                raise InvalidError(f"{filename} has more than {MAX_MEMBERS} members.")
            if content_limit is not None:
                unzipped.left = content_limit
            yield member, sdist
            # tarfile keeps every header in memory until the archive is closed.
            sdist.members.clear()  # type: ignore[attr-defined] # missing in typeshed
            sdist.pax_headers = {}
            unzipped.left = limit + _MAX_OTHER_HEADERS


def _sdist_metadata(metadata: bytes) -> ArchiveMetadata:
    fields = read_identity(metadata)
    version = fields.get("metadata_version", "")
    reliable = version in _METADATA_VERSIONS and (
        tuple(int(part) for part in version.split(".")) >= _RELIABLE_SDIST
    )
    return ArchiveMetadata(metadata if reliable else None, fields.get("requires_python"))


def _is_pkg_info(path: str) -> bool:
    folder, _, file = path.removeprefix("./").partition("/")
    return bool(folder) and file == "PKG-INFO"


def open_zip(filename: str, archive: IO[bytes]) -> BoundedZip:
    """Return an open zip file, after checking that it does not declare too many members.

    Raises:
        InvalidError: it declares too many members.
        zipfile.BadZipFile: it is not a zip file.
    """
    try:
        return BoundedZip(archive, max_members=MAX_MEMBERS, max_directory=MAX_DIRECTORY)
    except TooManyMembersError:
        raise InvalidError(
            f"{filename} has too many members, or too long names: the limits are "
            f"{MAX_MEMBERS} members and {MAX_DIRECTORY} bytes for their list."
        ) from None


def _open_tiny_zip(archive: IO[bytes]) -> BoundedZip:
    # The directory needs no lower limit, because the whole archive has at most TINY_BYTES. Python
    # 3.15 asks for more bytes than that while it looks for the end of the directory.
    return BoundedZip(archive, max_members=TINY_MEMBERS, max_directory=MAX_DIRECTORY)


def read_member(filename: str, archive: BoundedZip, info: zipfile.ZipInfo, limit: int) -> bytes:
    """Return the content of a member of a zip file.

    Raises:
        InvalidError: it is larger than the limit.
        Exception: one of `UNREADABLE_ERRORS`.
    """
    data = archive.read_at_most(info, limit + 1)
    if len(data) > limit:
        raise InvalidError(f"{filename} has metadata larger than {limit} bytes.")
    return data


@contextlib.contextmanager
def invalid_if_unreadable(filename: str) -> Iterator[None]:
    """Raise `InvalidError` instead of an error that the libraries raise for corrupt archives."""
    try:
        yield
    except UNREADABLE_ERRORS as error:
        raise InvalidError(f"{filename} is not a readable archive: {quote(str(error))}") from error
