"""The files in the archive of a distribution, for people to look at.

Archives are untrusted. Nothing is written to the disk, and everything that is read has a limit. A
list says what it leaves out.
"""

import hashlib
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from functools import partial
from time import monotonic
from typing import IO, Literal

import msgspec

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import (
    CONTENTS_BYTES,
    CONTENTS_MEMBERS,
    CONTENTS_PATH,
    CONTENTS_SECONDS,
    MAX_SHOWN_TEXT,
)
from cloudrepo_server.specs.archives import (
    UNREADABLE_ERRORS,
    invalid_if_unreadable,
    open_zip,
    tar_members,
)
from cloudrepo_server.specs.bounded_zip import BoundedZip

_ARCHIVE_ENDINGS = (".whl", ".zip", ".tar.gz")

Kind = Literal["file", "symbolic link", "hard link", "special file"]

_DRIVE = re.compile("[A-Za-z]:")
_CHUNK = 256 << 10
_MAX_WHOLE = 16 << 20
# zipfile unpacks these chunk by chunk. Files with another compression are unpacked as a whole.
_STREAMED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LINK_KINDS: dict[bytes, Kind] = {tarfile.SYMTYPE: "symbolic link", tarfile.LNKTYPE: "hard link"}


class Member(msgspec.Struct, frozen=True):
    """A file or link in an archive; folders are left out.

    Attributes:
        path: its path. It may have any characters, and may lead out of the archive's folder.
        size: the size that the archive declares.
        kind: whether it is a file, a link or something else.
        target: where a link leads.
        digest: the digest of its content, or None if the content was not read.
        can_be_read: whether it is a file whose path is short enough to be named in a URL.
    """

    path: str
    size: int
    kind: Kind = "file"
    target: str = ""
    digest: bytes | None = None
    can_be_read: bool = True

    @property
    def leads_outside(self) -> bool:
        """Whether the path leads out of the folder into which the archive is unpacked."""
        parts = self.path.replace("\\", "/").split("/")
        return ".." in parts or parts[0] == "" or _DRIVE.match(self.path) is not None


class Contents(msgspec.Struct, frozen=True):
    """The files in an archive; `omitted` says why further ones are missing, if any are."""

    members: tuple[Member, ...]
    omitted: str | None = None


class _LimitReachedError(Exception):
    """An archive exceeds a limit; the text says which one."""


class _Budget:
    """What may still be unpacked of an archive."""

    def __init__(self) -> None:
        self._bytes = CONTENTS_BYTES
        self._end = monotonic() + CONTENTS_SECONDS

    def spend(self, size: int) -> None:
        """Count bytes that are about to be unpacked.

        Raises:
            _LimitReachedError: there is nothing left.
        """
        self._bytes -= max(size, 0)
        self.check_time()
        if self._bytes < 0:
            raise _LimitReachedError(f"at most {CONTENTS_BYTES >> 20} MiB are unpacked")

    def check_time(self) -> None:
        """Check that there is time left.

        Raises:
            _LimitReachedError: there is none.
        """
        if monotonic() > self._end:
            raise _LimitReachedError(f"unpacking takes longer than {CONTENTS_SECONDS:g} seconds")


def read_contents(filename: str, archive: IO[bytes], *, with_digests: bool) -> Contents:
    """Return the files in a wheel or an sdist, sorted by path.

    Args:
        filename: the name of the archive.
        archive: its content.
        with_digests: whether to read the content of each file of a wheel. A tar file has to be
            read in any case.

    Raises:
        InvalidError: the archive cannot be read, or is of another type.
        StorageError: the archive was deleted, or the store did not respond.
    """
    found: list[Member] = []
    omitted = None
    with invalid_if_unreadable(filename):
        try:
            for member in _members(filename, archive, with_digests=with_digests):
                if len(found) == CONTENTS_MEMBERS:
                    omitted = f"at most {CONTENTS_MEMBERS:,} files are listed"
                    break
                found.append(member)
        except _LimitReachedError as reached:
            omitted = str(reached)
    return Contents(tuple(sorted(found, key=lambda member: member.path)), omitted)


def read_members(filename: str, archive: IO[bytes], paths: Collection[str]) -> dict[str, bytes]:
    """Return the content of these files in an archive, by path.

    Of a large file, the first `MAX_SHOWN_TEXT` bytes and one more are returned. A file that is
    missing or cannot be read is left out. If several files have one path, the last
    one is returned, because installers keep that one.

    Raises:
        InvalidError: the archive cannot be read, or is of another type.
        StorageError: the archive was deleted, or the store did not respond.
    """
    found: dict[str, bytes] = {}
    with invalid_if_unreadable(filename):
        try:
            for path, read in _readable(filename, archive, paths):
                try:
                    found[path] = read(MAX_SHOWN_TEXT + 1)
                except UNREADABLE_ERRORS:
                    found.pop(path, None)
        except _LimitReachedError:
            # The other files are beyond the limit.
            pass
    return found


def _is_zip(filename: str) -> bool:
    if not filename.endswith(_ARCHIVE_ENDINGS):
        raise InvalidError(
            f"The contents of {filename} cannot be shown: it is not a wheel, .tar.gz or .zip file."
        )
    return not filename.endswith(".tar.gz")


def _members(filename: str, archive: IO[bytes], *, with_digests: bool) -> Iterator[Member]:
    budget = _Budget()
    if _is_zip(filename):
        with open_zip(filename, archive) as opened:
            for info in opened.infolist():
                if not info.is_dir():
                    yield _zip_member(opened, info, budget if with_digests else None)
        return
    for member, sdist in _bounded_tar_members(filename, archive, budget):
        if not member.isdir():
            yield _tar_member(sdist, member, budget)


def _zip_member(archive: BoundedZip, info: zipfile.ZipInfo, budget: _Budget | None) -> Member:
    kind: Kind = "symbolic link" if stat.S_ISLNK(info.external_attr >> 16) else "file"
    digest, target = None, ""
    try:
        if kind == "symbolic link":
            target = archive.read_at_most(info, CONTENTS_PATH).decode(errors="replace")
        elif budget is not None:
            digest = _zip_digest(archive, info, budget)
    except (_LimitReachedError, *UNREADABLE_ERRORS):
        # The file is too large, damaged or encrypted. The archive's directory lists it anyway.
        pass
    return _member(info.filename, info.file_size, kind, target, digest)


def _zip_digest(archive: BoundedZip, info: zipfile.ZipInfo, budget: _Budget) -> bytes:
    budget.spend(info.file_size)
    if info.compress_type not in _STREAMED:
        if info.file_size > _MAX_WHOLE:
            raise _LimitReachedError("the file is too large for its compression")
        return hashlib.sha256(archive.read_at_most(info, info.file_size + 1)).digest()
    with archive.open(info) as content:
        return _digest(content, budget)


def _bounded_tar_members(
    filename: str, archive: IO[bytes], budget: _Budget
) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    position = 0
    for member, sdist in tar_members(filename, archive, 0, content_limit=CONTENTS_BYTES):
        # The member ends where the next one begins. To find that one, all of it is unpacked.
        budget.spend(sdist.offset - position)
        position = sdist.offset
        yield member, sdist


def _tar_member(archive: tarfile.TarFile, member: tarfile.TarInfo, budget: _Budget) -> Member:
    kind: Kind = "file" if member.isreg() else _LINK_KINDS.get(member.type, "special file")
    digest = None
    if kind == "file" and (content := archive.extractfile(member)) is not None:
        if member.issparse():
            # A few bytes of the archive can be many zeros of the file.
            budget.spend(member.size)
        digest = _digest(content, budget)
    return _member(member.name, member.size, kind, member.linkname, digest)


def _member(path: str, size: int, kind: Kind, target: str, digest: bytes | None) -> Member:
    try:
        can_be_named = len(path.encode()) <= CONTENTS_PATH
    except UnicodeEncodeError:
        # Bytes of the path that are not UTF-8.
        can_be_named = False
    return Member(
        path[:CONTENTS_PATH],
        size,
        kind,
        target[:CONTENTS_PATH],
        digest,
        can_be_read=can_be_named and kind == "file",
    )


def _digest(content: IO[bytes], budget: _Budget) -> bytes:
    digest = hashlib.sha256()
    while data := content.read(_CHUNK):
        budget.check_time()
        digest.update(data)
    return digest.digest()


def _readable(
    filename: str, archive: IO[bytes], paths: Collection[str]
) -> Iterator[tuple[str, Callable[[int], bytes]]]:
    """Yield the path of each requested file, and a function that reads its beginning."""
    budget = _Budget()
    if _is_zip(filename):
        with open_zip(filename, archive) as opened:
            for path in paths:
                info = opened.NameToInfo.get(path)
                if info is not None:
                    budget.spend(min(info.file_size, MAX_SHOWN_TEXT))
                    yield path, partial(opened.read_at_most, info)
        return
    for member, sdist in _bounded_tar_members(filename, archive, budget):
        content = sdist.extractfile(member) if member.name in paths and member.isreg() else None
        if content is not None:
            yield member.name, content.read
