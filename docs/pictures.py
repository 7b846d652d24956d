"""Draw the picture of a failure report in the README: `python docs/pictures.py`.

The script runs the test below with pytest, and writes what the terminal shows to an SVG file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import escape, unescape
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

PICTURE = Path(__file__).parent / "images" / "failure-report.svg"
TEST = """\
import pytest


@pytest.mark.cloudrepo(overwrite_protection=True)
def test_release_can_be_repeated(cloudrepo, cloudrepo_package):
    sdist = cloudrepo_package("demo", "1.0", sdist=True)
    cloudrepo.run("twine", "upload", sdist)
    again = cloudrepo.run("twine", "upload", sdist, check=False)
    assert again.ok
"""
# Few columns, so that the text is legible on a phone. Longer lines are wrapped, as in a terminal.
COLUMNS = 68

CHARACTER_WIDTH = 8.4
LINE_HEIGHT = 19
MARGIN = 20
TITLE_BAR = 34
BACKGROUND = "#1b1f27"
FOREGROUND = "#d5d9e0"
# The colours of ANSI escape sequences, normal (30 to 37) and bright (90 to 97).
PALETTE = ["#7f8794", "#f2777a", "#99cc99", "#ffcc66", "#74b0f4", "#d7a1e0", "#66cccc", "#d5d9e0"]
ESCAPE = re.compile(r"\x1b\[([\d;]*)m")


def terminal_text() -> str:
    """Run the test in an empty folder, and return what the terminal shows, with its colours."""
    # pytest does not shorten its summary where these variables name a CI job.
    environ = {name: os.environ[name] for name in os.environ.keys() - {"CI", "BUILD_NUMBER"}}
    environ["COLUMNS"] = str(COLUMNS)
    with TemporaryDirectory() as folder:
        Path(folder, "test_release.py").write_text(TEST, "utf-8")
        Path(folder, "pytest.ini").write_text("[pytest]\n", "utf-8")
        highlight = [sys.executable, "-m", "pygments", "-f", "terminal", "test_release.py"]
        run = [sys.executable, "-m", "pytest", "-q", "--tb=short", "--color=yes"]
        run += ["-p", "no:randomly", "-p", "no:xdist"]
        shown = [
            subprocess.run(  # noqa: S603 - only Python, pygments and pytest
                command, cwd=folder, env=environ, capture_output=True, encoding="utf-8", check=False
            ).stdout
            for command in (highlight, run)
        ]
    return f"$ cat test_release.py\n{shown[0]}\n$ pytest -q --tb=short\n{shown[1]}"


def svg(text: str) -> str:
    """Return a picture of a terminal that shows this text with ANSI colours."""
    groups, row = [], 0
    for line in map(_coloured, text.rstrip("\n").split("\n")):
        wrapped = [line[start : start + COLUMNS] for start in range(0, len(line), COLUMNS)] or [[]]
        shown = "".join(_row(row + number, part) for number, part in enumerate(wrapped))
        groups.append(f"<g>{shown}</g>")
        row += len(wrapped)
    width = round(2 * MARGIN + COLUMNS * CHARACTER_WIDTH)
    height = TITLE_BAR + MARGIN + row * LINE_HEIGHT
    dots = "".join(
        f'<circle cx="{MARGIN + 20 * number}" cy="18" r="6" fill="{colour}"/>'
        for number, colour in enumerate(["#f2777a", "#ffcc66", "#99cc99"])
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" fill="{FOREGROUND}" role="img" aria-labelledby="title">'
    )
    title = '<title id="title">A failed test, and the requests that its repository received</title>'
    style = (
        "<style>text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "
        "'DejaVu Sans Mono', monospace; white-space: pre }</style>"
    )
    window = f'<rect width="{width}" height="{height}" rx="10" fill="{BACKGROUND}"/>'
    return "\n".join([head, title, style, window, dots, *groups, "</svg>\n"])


def text_of(picture: str) -> str:
    """Return the text of a picture, with placeholders for values that differ between runs."""
    groups = re.findall(r"<g>(.*?)</g>", picture, re.DOTALL)
    return comparable("\n".join(unescape(re.sub(r"<[^>]*>", "", group)) for group in groups))


def comparable(text: str) -> str:
    """Return text with placeholders for times, random names, versions and horizontal lines."""
    text = ESCAPE.sub("", text)
    text = re.sub(r"\d+\.\d+s( \(.*?\))?", "N s", text)
    text = re.sub(r" +(\d+ ms|\d+\.\d s)", " N ms", text)
    text = re.sub(r"-[0-9a-f]{10}\b", "-RANDOM", text)
    text = re.sub(r"twine/[\d.]+", "twine/N", text)
    return re.sub(r"([-=_])\1{2,}", r"\1\1\1", text).rstrip()


def _coloured(line: str) -> list[tuple[str, str]]:
    """Split a line with escape sequences into characters, each with its style."""
    characters = []
    colour, bold = "", False
    for position, part in enumerate(ESCAPE.split(line)):
        if position % 2 == 0:
            style = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' * bold)
            characters += [(character, style) for character in part]
            continue
        for code in map(int, part.split(";")) if part else [0]:
            if code in {0, 39}:
                colour = ""
            bold = code == 1 or (bold and code not in {0, 22})
            if code in {*range(30, 38), *range(90, 98)}:
                colour = PALETTE[code % 10]
    return characters


def _row(number: int, characters: list[tuple[str, str]]) -> str:
    baseline = TITLE_BAR + (number + 1) * LINE_HEIGHT
    column, parts = 0, []
    for style, group in groupby(characters, key=lambda character: character[1]):
        text = "".join(character for character, _ in group)
        # The stated length keeps the columns straight in every font.
        place = f'x="{MARGIN + column * CHARACTER_WIDTH:.1f}" y="{baseline}"'
        length = f'textLength="{len(text) * CHARACTER_WIDTH:.1f}"'
        parts.append(f"<text {place} {length}{style}>{escape(text, quote=False)}</text>")
        column += len(text)
    return "".join(parts)


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(svg(terminal_text()), "utf-8")
