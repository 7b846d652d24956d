"""Texts of untrusted files, as pages show them: bounded, and without invisible characters."""

import codecs
from dataclasses import dataclass

from cloudrepo_server.limits import MAX_SHOWN_TEXT
from cloudrepo_server.logs import escaped

_MAX_LINES = 10_000


@dataclass(frozen=True, slots=True)
class ShownText:
    """The text of a file.

    Attributes:
        lines: its lines, with escapes for characters that are invisible or reorder the text.
        is_cut: whether lines or bytes after the limit were left out.
        has_escapes: whether there are such escapes.
    """

    lines: list[str]
    is_cut: bool
    has_escapes: bool

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    @property
    def numbers(self) -> str:
        """The numbers of the lines, one on each line."""
        return "\n".join(map(str, range(1, len(self.lines) + 1)))


def decode_text(data: bytes) -> str | None:
    """Return the text of a file, or None if it is not UTF-8 text.

    If `data` has more than `MAX_SHOWN_TEXT` bytes, the rest is left out.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        text = decoder.decode(data[:MAX_SHOWN_TEXT], final=len(data) <= MAX_SHOWN_TEXT)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def show_text(data: bytes) -> ShownText | None:
    """Return the text of a file as a page shows it, or None if it is not UTF-8 text."""
    text = decode_text(data)
    if text is None:
        return None
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    shown = [visible(line) for line in lines[:_MAX_LINES]]
    return ShownText(
        shown,
        is_cut=len(data) > MAX_SHOWN_TEXT or len(lines) > _MAX_LINES,
        has_escapes=shown != lines[:_MAX_LINES],
    )


def visible(line: str) -> str:
    """Return a line with escapes for characters that are invisible or reorder the text."""
    return "\t".join(map(escaped, line.split("\t")))
