"""The table of client results in docs/clients.md."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_cloudrepo._programs.result import CommandResult
    from tests.support.clients.client import InstalledClient

MAX_LENGTH: Final = 150
# Terminal control sequences: colours, and moves of the cursor.
ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
URL: Final = re.compile(r"http://([^\s/@]+@)?127\.0\.0\.1:\d+/repositories/[a-z0-9_-]+")
USER: Final = re.compile(r"[\w.+-]+@example\.com")
FOLDER: Final = re.compile(r"(?<![\w/:.])(/[\w.+-]+){2,}/")
DURATION: Final = re.compile(r" in \d[\d.]*m?s\b|^\d:\d\d:\d\d ")
PORT: Final = re.compile(r"(?<=127\.0\.0\.1:)\d+")
NAME: Final = re.compile(r"\btest_[a-z0-9_-]+-[0-9a-f]{10}\b")
DIGEST: Final = re.compile(r"\b[0-9a-f]{32,}\b")
HEAD: Final = """\
# Clients

This page shows what real clients do with a repository. `tox -e clients` ran them on {date}, on
{system}, each with the oldest Python on the machine that can run it. The tests check the exit
status and the result and, where it matters, the requests that the server received. "Output" is one
line that the client printed. In it, `URL`, `NAME` and `USER` replace the repository's URL, its name
and its user. Releases of a client with the same output and result share a row.
"""
COLUMNS: Final = ("client", "Python", "action", "exit status", "output", "result")


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one action of one client."""

    section: str
    position: int
    """A number that determines the order of the rows."""
    client: str
    """The name and the version of the client."""
    python: str
    action: str
    exit_status: int
    output: str
    result: str


class RecordRow(Protocol):
    """A function that adds a row to the table."""

    def __call__(
        self,
        section: str,
        client: InstalledClient,
        action: str,
        result: CommandResult,
        outcome: str,
        *,
        shows: str | None = None,
    ) -> None:
        """Add a row.

        Args:
            section: The section of the table.
            client: The client.
            action: What the test made the client do.
            result: The finished program. If `shows` is given, its output must contain such a line.
            outcome: What the client achieved.
            shows: A regular expression for the line of output to show. Default: the last line.
        """


def find_line(output: str, pattern: str | None) -> str:
    """Return the last line that matches the pattern, or the last line if there is no pattern.

    Raises:
        AssertionError: No line matches.
    """
    text = ESCAPES.sub("", output)
    # A progress bar writes many lines over each other, separated by carriage returns. GitHub shows
    # %0A in an error of a job as a new line.
    lines = [line.strip() for line in re.split(r"[\r\n]|%0A", text) if re.search(r"\w", line)]
    if pattern is None:
        return lines[-1] if lines else ""
    matches = [line for line in lines if re.search(pattern, line)]
    assert matches, f"no line matches {pattern!r} in:\n{output}"
    return matches[-1]


def normalize(line: str, replacements: Mapping[str, str]) -> str:
    """Remove from a line what differs between sessions and between machines.

    Args:
        line: A line that a client printed.
        replacements: Texts to replace, with their replacements.
    """
    for text in sorted(replacements, key=len, reverse=True):
        line = line.replace(text, replacements[text])
    line = USER.sub("USER", URL.sub("URL", line))
    line = NAME.sub("NAME", PORT.sub("PORT", line))
    line = re.sub(r"https?://(?!127)[^\s/]+", "https://…", line)
    line = re.sub(r"(?<=\brepository at )[\w.-]+", "…", line)
    line = DIGEST.sub("…", FOLDER.sub("…/", line))
    line = re.sub(r"\s+", " ", DURATION.sub("", line)).replace("`", "'")
    return line if len(line) <= MAX_LENGTH else line[: MAX_LENGTH - 1].rstrip() + "…"


def render(rows: Iterable[Row], introductions: Mapping[str, str]) -> str:
    """Return the page: each section with its introduction and its table."""
    ordered = sorted(rows, key=lambda row: row.position)
    system = f"{platform.system()} with Python {platform.python_version()}"
    parts = [HEAD.format(date=datetime.now(UTC).date(), system=system)]
    for section, introduction in introductions.items():
        table = render_table(row for row in ordered if row.section == section)
        parts.append(f"## {section}\n\n{introduction}\n\n{table}\n")
    return "\n".join(parts)


def render_table(rows: Iterable[Row]) -> str:
    """Return a table. Releases of a client with the same output and result share a row."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        name = row.client.partition(" ")[0]
        same = (name, row.action, row.exit_status, row.output, row.result)
        groups.setdefault(same, []).append(row)
    lines = [COLUMNS, ("---",) * len(COLUMNS), *map(_cells, groups.values())]
    return "\n".join(_line(cells) for cells in lines)


def _cells(rows: Sequence[Row]) -> tuple[str, ...]:
    first = rows[0]
    name = first.client.partition(" ")[0]
    versions = ", ".join(row.client.partition(" ")[2] for row in rows)
    pythons = ", ".join(dict.fromkeys(row.python for row in rows))
    output = f"`{first.output}`" if first.output else ""
    client = f"{name} {versions}"
    return client, pythons, first.action, str(first.exit_status), output, first.result


def _line(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
