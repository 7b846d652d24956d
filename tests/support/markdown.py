"""What pages of Markdown hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# What stands after the fence may be a directive of MyST's, such as `{note}`.
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| (.*) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands after its fence, and its text."""

    language: str
    text: str


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """A page's fenced blocks, of this language if one is given."""
    found = [Block(*match) for match in FENCED.findall(page.read_text("utf-8"))]
    return [block for block in found if language in {None, block.language}]


def rows(page: Path) -> list[list[str]]:
    """The rows of a page's tables, cell by cell, titles and rules among them."""
    return [re.split(r"\s*\|\s*", row) for row in ROW.findall(page.read_text("utf-8"))]
