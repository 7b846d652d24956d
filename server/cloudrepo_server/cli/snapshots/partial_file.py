"""A file of which only some parts are known yet."""

import io


class MissingPartError(Exception):
    """A part of a file that must be read is not known yet."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(f"bytes {start} to {end}")
        self.start = start
        self.end = end


class PartialFile(io.RawIOBase):
    """A file for reading, to which parts of its content can be added.

    Reading at a position that is not known raises `MissingPartError`.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._position = 0
        self._parts: list[tuple[int, bytes]] = []

    def add(self, start: int, content: bytes) -> None:
        """Add the part of the content that begins at a position."""
        self._parts.append((start, content))

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("the position is before the beginning of the file")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the content from the position on.

        Raises:
            MissingPartError: a part of it is not known.
        """
        end = self._size if size is None or size < 0 else min(self._position + size, self._size)
        content = bytearray()
        while self._position + len(content) < end:
            content += self._known(self._position + len(content), end)
        self._position += len(content)
        return bytes(content)

    def _known(self, start: int, end: int) -> bytes:
        """Return what is known from `start` on, which is at least one byte."""
        for first, content in self._parts:
            if first <= start < first + len(content):
                return content[start - first : end - first]
        raise MissingPartError(start, end)
