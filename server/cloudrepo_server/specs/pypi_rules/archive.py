"""The check that an archive is a wheel or an sdist that PyPI accepts."""

import gzip
import io
import lzma
import posixpath
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Final

import msgspec
from packaging.version import InvalidVersion, Version

from cloudrepo_server.limits import Limits
from cloudrepo_server.specs.archives import (
    FREE_UNPACKED,
    MAX_RATIO,
    UNREADABLE_ERRORS,
    open_zip,
    tar_members,
)
from cloudrepo_server.specs.bounded_zip import BoundedZip
from cloudrepo_server.specs.pypi_rules import archive_rules as rules
from cloudrepo_server.specs.pypi_rules import wheel
from cloudrepo_server.specs.pypi_rules.filenames import (
    check_sdist_name,
    check_wheel_length,
    check_wheel_name,
)
from cloudrepo_server.specs.pypi_rules.rule import Finding
from cloudrepo_server.specs.pypi_rules.zip_records import record_error

_PKG_INFO: Final = "PKG-INFO"
_NO_FOLDER: Final = ("", "/", ".")
_MAX_DEPTH = 64
_TAR_BLOCK = 512
_LZMA_MEMORY = 64 << 20
_LZMA_INPUT = 64 << 10


class DeclaredFile(msgspec.Struct, frozen=True):
    """The fields of a form that describe its file."""

    filename: str
    filetype: str
    name: str
    version: str
    license_files: Sequence[str] = ()


def check_file(file: IO[bytes], declared: DeclaredFile, limits: Limits) -> Iterator[Finding]:
    """Check the content of a file, and then its name, in PyPI's order.

    The file must have one of the extensions that PyPI accepts.

    Raises:
        InvalidError: the archive exceeds a limit of this server.
    """
    if declared.filename.endswith(".tar.gz"):
        yield from _check_tar(file, declared, limits)
    else:
        yield from _check_zip(file, declared, limits)


def _check_zip(file: IO[bytes], declared: DeclaredFile, limits: Limits) -> Iterator[Finding]:
    if not zipfile.is_zipfile(file):
        yield rules.NOT_A_ZIP.broken()
        yield from _check_name(declared)
        return
    if _is_tar(file):
        yield rules.ZIP_AND_TAR.broken()
    try:
        with open_zip(declared.filename, file) as archive:
            yield from _check_members(file, archive, declared)
            yield from _check_name(declared)
            if declared.filename.endswith(".whl"):
                yield from wheel.check_content(
                    archive, declared.filename, declared.license_files, limits
                )
                yield from check_wheel_length(declared.filename)
    except UNREADABLE_ERRORS as error:
        yield rules.UNREADABLE.broken(error=error)


def _check_members(
    file: IO[bytes], archive: BoundedZip, declared: DeclaredFile
) -> Iterator[Finding]:
    unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > FREE_UNPACKED and unpacked > MAX_RATIO * file.seek(0, io.SEEK_END):
        yield rules.COMPRESSION_RATIO.broken()
    for info in archive.infolist():
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield rules.COMPRESSION_TYPE.broken(member=info.filename)
            break
    if declared.filename.endswith(".whl"):
        yield from wheel.check_wheel_file(archive, declared.filename)
    else:
        folder = _common_folder(archive.namelist())
        if folder in _NO_FOLDER:
            yield rules.TOP_LEVEL_FOLDER.broken()
        elif (path := posixpath.join(folder, _PKG_INFO)) not in archive.NameToInfo:
            yield rules.PKG_INFO.broken(path=path)
    error = record_error(archive, file)
    if error is not None:
        yield rules.ZIP_RECORDS.broken(error=error)


def _check_tar(file: IO[bytes], declared: DeclaredFile, limits: Limits) -> Iterator[Finding]:
    if not _is_tar(file):
        yield rules.NOT_A_TAR.broken()
        yield from _check_name(declared)
        return
    if zipfile.is_zipfile(file):
        yield rules.ZIP_AND_TAR.broken()
    try:
        contents = _read_tar(file, declared, limits)
    except UNREADABLE_ERRORS as error:
        yield rules.UNREADABLE.broken(error=error)
        yield from _check_name(declared)
        return
    if contents.sparse is not None:
        yield rules.SPARSE_MEMBERS.broken(member=contents.sparse)
    if contents.folder in _NO_FOLDER:
        yield rules.TOP_LEVEL_FOLDER.broken()
    elif (path := posixpath.join(contents.folder, _PKG_INFO)) not in contents.found:
        yield rules.PKG_INFO.broken(path=path)
    yield from _check_name(declared)
    for license_file in declared.license_files:
        path = posixpath.join(contents.folder, license_file)
        if path.rstrip("/") not in contents.found:
            yield rules.LICENSE_FILE.broken(
                license_file=license_file, filename=declared.filename, path=path
            )


class _TarContents(msgspec.Struct):
    """The properties of a tar file that the rules check."""

    folder: str = ""
    """The path that all members have in common."""
    found: set[str] = msgspec.field(default_factory=set)
    sparse: str | None = None


def _read_tar(file: IO[bytes], declared: DeclaredFile, limits: Limits) -> _TarContents:
    contents = _TarContents()
    required: set[str] = set()
    is_first = True
    for member, _ in tar_members(declared.filename, file, limits.metadata_bytes):
        if is_first:
            # The common folder contains the first member, so only these paths can be required.
            contents.folder = _common_folder([member.name])
            required = _possible_paths(contents.folder, (_PKG_INFO, *declared.license_files))
            is_first = False
        contents.folder = _common_folder([contents.folder, member.name])
        if member.name in required:
            contents.found.add(member.name)
        if member.issparse() and contents.sparse is None:
            contents.sparse = member.name
    return contents


def _possible_paths(path: str, names: Sequence[str]) -> set[str]:
    """Return the paths of files with these names in the folder and in each of its parents."""
    parts = path.split("/")[:_MAX_DEPTH]
    folders = ["/".join(parts[:length]) or "/" for length in range(1, len(parts) + 1)]
    return {posixpath.join(folder, name).rstrip("/") for folder in folders for name in names}


def _common_folder(paths: Sequence[str]) -> str:
    try:
        return posixpath.commonpath(paths)
    except ValueError:
        # There are no paths, or only some of them are absolute.
        return ""


def _check_name(declared: DeclaredFile) -> Iterator[Finding]:
    try:
        Version(declared.version)
    except (InvalidVersion, ValueError):
        # Another rule rejects the version.
        return
    check = check_sdist_name if declared.filetype == "sdist" else check_wheel_name
    yield from check(declared.filename, name=declared.name, version=declared.version)


def _is_tar(file: IO[bytes]) -> bool:
    """Return whether tarfile would open the file, compressed or not."""
    # Only the first block is read, because a header may declare any size.
    for read in (_read_plain, _read_gzip, _read_bzip2, _read_lzma):
        file.seek(0)
        try:
            if _is_tar_block(read(file)):
                return True
        except (*UNREADABLE_ERRORS, ImportError):
            continue
    return False


def _read_plain(file: IO[bytes]) -> bytes:
    return file.read(_TAR_BLOCK)


def _read_gzip(file: IO[bytes]) -> bytes:
    return gzip.GzipFile(fileobj=file).read(_TAR_BLOCK)


def _read_bzip2(file: IO[bytes]) -> bytes:
    # Imported here because some builds of Python have no bzip2.
    import bz2

    return bz2.BZ2File(file).read(_TAR_BLOCK)


def _read_lzma(file: IO[bytes]) -> bytes:
    # The header may declare a dictionary of gigabytes.
    return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(
        file.read(_LZMA_INPUT), _TAR_BLOCK
    )


def _is_tar_block(block: bytes) -> bool:
    if len(block) != _TAR_BLOCK:
        return False
    try:
        tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        # A tar file without members is zeros.
        return not any(block)
    return True
