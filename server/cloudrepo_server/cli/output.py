"""The output of the commands, which may contain untrusted texts of files and servers.

A terminal executes some characters, and others change the order of the characters shown. The
encoding of the output may also lack some characters, for example on Windows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET


def printable(text: str) -> str:
    """Return the text in one line, with escapes for characters that are not printable.

    A line feed in a name could otherwise forge a line of the output. XML cannot represent some of
    these characters at all.
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def one_line(text: str) -> str:
    """Return the text in one line, with one space for each run of white space."""
    return printable(" ".join(text.split()))


def printable_lines(text: str) -> list[str]:
    """Return the lines of the text, each of them printable."""
    return [printable(line.rstrip()) for line in text.splitlines()]


def as_json(value: object) -> str:
    """Return a value as JSON in ASCII, with a line feed at its end."""
    # JSON need not escape DEL.
    return json.dumps(msgspec.to_builtins(value), indent=2).replace("\x7f", "\\u007f") + "\n"


def as_xml(root: ET.Element) -> str:
    """Return an XML document in ASCII, so that its declared encoding is right in any output."""
    from xml.etree import ElementTree as ET  # most commands print no XML

    ET.indent(root)
    encoded: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return encoded.decode("ascii") + "\n"
