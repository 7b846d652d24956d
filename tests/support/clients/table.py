"""The table of what every client did, as the documentation shows it."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_cloudrepo._programs.result import CommandResult
    from tests.support.clients.client import Installed

LONGEST: Final = 150
# With them a terminal is told about colours, and to write over what it shows.
ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ADDRESS: Final = re.compile(r"http://([^\s/@]+@)?127\.0\.0\.1:\d+/repositories/[a-z0-9_-]+")
USER: Final = re.compile(r"[\w.+-]+@example\.com")
FOLDER: Final = re.compile(r"(?<![\w/:.])(/[\w.+-]+){2,}/")
TOOK: Final = re.compile(r" in \d[\d.]*m?s\b|^\d:\d\d:\d\d ")
PORT: Final = re.compile(r"(?<=127\.0\.0\.1:)\d+")
NAME: Final = re.compile(r"\btest_[a-z0-9_-]+-[0-9a-f]{10}\b")
DIGEST: Final = re.compile(r"\b[0-9a-f]{32,}\b")
HEAD: Final = """\
# Clients

What real clients did with a repository, as `tox -e clients` saw it on {date}, on {system}. Every
row is a test: its exit status, what came of it, and where it matters the requests that arrived,
were checked. "Said" is one line of what the client printed; the repository's address stands there
as `URL`, its name as `NAME`, its user as `USER`.

Each client is installed in an environment of its own, with the oldest Python at hand that runs it;
a client that cannot be installed is an error of the run. The environments stay in the user's cache
folder, or where `CLOUDREPO_CLIENTS_CACHE` says.
"""
COLUMNS: Final = ("client", "Python", "asked", "exit", "said", "then")


@dataclass(frozen=True, slots=True)
class Row:
    """What one client did when it was asked for one thing."""

    section: str
    position: int
    """Where it stands among the others."""
    client: str
    python: str
    asked: str
    status: int
    said: str
    then: str
    """What came of it."""

    def cells(self) -> tuple[str, ...]:
        """What its line of the table holds."""
        said = f"`{self.said}`" if self.said else ""
        return self.client, self.python, self.asked, str(self.status), said, self.then


class Note(Protocol):
    """Adds a row to the table."""

    def __call__(
        self,
        section: str,
        client: Installed,
        asked: str,
        result: CommandResult,
        then: str,
        *,
        shows: str | None = None,
    ) -> None:
        """Add it.

        Args:
            section: where it belongs.
            client: the client.
            asked: what it was asked for.
            result: how it ended; where `shows` is given, a line that it printed must have that.
            then: what came of it.
            shows: a regular expression.
        """


def line_of(output: str, pattern: str | None) -> str:
    """The line that the pattern is found in, or the last one if none is given.

    Raises:
        AssertionError: no line has it.
    """
    plain = ESCAPES.sub("", output)
    # A progress bar is drawn over and over.
    lines = [line.strip() for line in re.split(r"[\r\n]", plain) if re.search(r"\w", line)]
    if pattern is None:
        return lines[-1] if lines else ""
    found = [line for line in lines if re.search(pattern, line)]
    assert found, f"there is no {pattern!r} in:\n{output}"
    return found[-1]


def readable(line: str, places: Mapping[str, str]) -> str:
    """A line without what differs from run to run and from machine to machine.

    Args:
        line: what a client printed.
        places: what stands in it, and what is to stand there.
    """
    for place in sorted(places, key=len, reverse=True):
        line = line.replace(place, places[place])
    line = USER.sub("USER", ADDRESS.sub("URL", line))
    line = NAME.sub("NAME", PORT.sub("PORT", line))
    line = re.sub(r"https?://(?!127)[^\s/]+", "https://…", line)
    line = DIGEST.sub("…", FOLDER.sub("…/", line))
    line = re.sub(r"\s+", " ", TOOK.sub("", line)).replace("`", "'")
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def render(rows: Iterable[Row], sections: Mapping[str, str]) -> str:
    """The page: a section each, with its words and its table."""
    ordered = sorted(rows, key=lambda row: row.position)
    system = f"{platform.system()} with Python {platform.python_version()}"
    parts = [HEAD.format(date=datetime.now(UTC).date(), system=system)]
    for section, words in sections.items():
        lines = [COLUMNS, ("---",) * len(COLUMNS)]
        lines += [row.cells() for row in ordered if row.section == section]
        text = "\n".join(_line(cells) for cells in lines)
        parts.append(f"## {section}\n\n{words}\n\n{text}\n")
    return "\n".join(parts)


def _line(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
