"""Reading the code blocks and tables of Markdown pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# After the opening fence there is a language, or a directive of MyST such as `{note}`.
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| (.*) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language or directive, and its text."""

    language: str
    text: str


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page, or only those of one language."""
    all_blocks = [Block(*match) for match in FENCED.findall(page.read_text("utf-8"))]
    return [block for block in all_blocks if language in {None, block.language}]


def rows(page: Path) -> list[list[str]]:
    """Return the cells of all table rows of a page, including header rows and separator rows."""
    return [re.split(r"\s*\|\s*", row) for row in ROW.findall(page.read_text("utf-8"))]
