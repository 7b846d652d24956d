"""Gzip files that are unpacked within bounds, whatever a tar file in them declares.

A few bytes can declare a header of gigabytes, which `tarfile` would read into memory. Skipping a
member takes no memory, but it takes the time of unpacking.
"""

import gzip
import io
import tarfile
from typing import IO


class BoundedGzip(gzip.GzipFile):
    """A gzip file of which at most `left` more bytes can be read, and `most` unpacked in total."""

    def __init__(self, archive: IO[bytes], *, left: int, most: int) -> None:
        super().__init__(fileobj=archive)
        self.left = left
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes.

        Raises:
            tarfile.ReadError: more bytes would be read or unpacked than allowed.
        """
        if size is None or not 0 <= size <= self.left:
            raise tarfile.ReadError("a header is too large")
        self.left -= size
        self._check_position(self.tell() + size)
        return super().read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position, and return it.

        Raises:
            tarfile.ReadError: more bytes would be unpacked than allowed, or bytes again.
        """
        self._check_position(offset)
        if whence == io.SEEK_SET and offset < self.tell():
            # The size of a member is negative. The same members would be read again and again.
            raise tarfile.ReadError("a member begins before the end of the previous one")
        return super().seek(offset, whence)

    def _check_position(self, position: int) -> None:
        if position > self._most:
            raise tarfile.ReadError(
                f"it is too large when unpacked: the limit for its size is {self._most} bytes"
            )
