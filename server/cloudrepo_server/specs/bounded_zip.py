"""Zip archives whose directory and members are read within bounds, whatever the archive declares.

`zipfile` reads as many directory entries as the directory has, however few the archive declares,
and creates an object for each. It decompresses bzip2 and LZMA without a bound: a member of a few
hundred bytes may fill the memory.
"""

import lzma
import struct
import zipfile
import zlib
from typing import IO

# The first bytes of each entry of a directory.
_DIRECTORY_ENTRY = b"PK\x01\x02"
_LOCAL_HEADER = struct.Struct("<26x2H")
# A member begins with the version of LZMA, the size of the properties, and the properties.
_LZMA_HEADER = struct.Struct("<2xH5s")
_LZMA_PROPERTIES = 5
_LZMA_MEMORY = 32 << 20
_UNKNOWN_SIZE = b"\xff" * 8
# A compressed member is larger than its content by less than this.
_EXPANSION = 1 << 20


class TooManyMembersError(Exception):
    """The directory of an archive is too large, or has too many entries."""


class BoundedZip(zipfile.ZipFile):
    """A zip archive of untrusted origin, open for reading.

    Raises:
        TooManyMembersError: it has more than `max_members` members, or a directory of more than
            `max_directory` bytes.
        zipfile.BadZipFile: it is not a zip archive.
    """

    def __init__(self, archive: IO[bytes], *, max_members: int, max_directory: int) -> None:
        self._archive = archive
        directory = _DirectoryReader(archive, max_members, max_directory)
        super().__init__(directory)
        directory.is_bounded = False

    def read_at_most(self, info: zipfile.ZipInfo, size: int) -> bytes:
        """Return the content of a member, or the first `size` bytes of a larger one.

        Raises:
            zipfile.BadZipFile: the member is damaged.
            RuntimeError: the member is encrypted.
        """
        # Also compares the member's own header with the directory.
        with self.open(info) as member:
            if info.compress_type not in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
                return member.read(size)
        compressed = self._read_compressed(info, size + _EXPANSION)
        if info.compress_type == zipfile.ZIP_LZMA:
            data = _decompress_lzma(compressed, size)
        else:
            # Imported here because some builds of Python have no bzip2.
            import bz2

            data = bz2.BZ2Decompressor().decompress(compressed, size)
        if len(data) < size and zlib.crc32(data) != info.CRC:
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {info.filename!r}")
        return data

    def _read_compressed(self, info: zipfile.ZipInfo, most: int) -> bytes:
        self._archive.seek(info.header_offset)
        name, extra = _LOCAL_HEADER.unpack(self._archive.read(_LOCAL_HEADER.size))
        self._archive.seek(name + extra, 1)
        return self._archive.read(min(info.compress_size, most))


class _DirectoryReader:
    """A file that limits reads while `zipfile` reads the directory, which it does in one call."""

    def __init__(self, archive: IO[bytes], max_members: int, max_directory: int) -> None:
        self.is_bounded = True
        self._archive = archive
        self._max_members = max_members
        self._max_directory = max_directory

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes.

        Raises:
            TooManyMembersError: the bytes are a directory that is too large.
        """
        if self.is_bounded and size is not None and size > self._max_directory:
            raise TooManyMembersError
        data = self._archive.read(-1 if size is None else size)
        if self.is_bounded and data.count(_DIRECTORY_ENTRY) > self._max_members:
            raise TooManyMembersError
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position of the next read, and return it."""
        return self._archive.seek(offset, whence)

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._archive.tell()

    def seekable(self) -> bool:
        """Return True: reading can start at any position."""
        return True


def _decompress_lzma(compressed: bytes, size: int) -> bytes:
    properties_size, properties = _LZMA_HEADER.unpack_from(compressed)
    if properties_size != _LZMA_PROPERTIES:
        raise zipfile.BadZipFile("the LZMA properties have the wrong size")
    # The same stream in the format of .lzma files, which the public decompressor reads.
    stream = properties + _UNKNOWN_SIZE + compressed[_LZMA_HEADER.size :]
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY)
    return decompressor.decompress(stream, size)
