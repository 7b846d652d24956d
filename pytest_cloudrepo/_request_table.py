"""The table of requests in the report of a failed test."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_cloudrepo.journal import repeated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_cloudrepo.journal import Request

_MAX_ROWS = 50
# The duration and the outcome are the last columns of a row.
_OUTCOME = re.compile(r"(?P<before>^.*? m?s  )(?P<outcome>(?:(?P<status>\d)\d\d|no response).*)$")
_COLOURS = {"2": 32, "3": 36, "4": 33}  # green, cyan, yellow
_RED = 31


def request_table(requests: Sequence[Request], *, path_prefix: str, default_user: str) -> str:
    """Return the newest requests as a table. Equal requests in a row share one line.

    Args:
        requests: the requests, oldest first.
        path_prefix: the beginning of the paths, which the table leaves out.
        default_user: the user whose name the table leaves out.
    """
    groups = [
        list(equal)
        for _, equal in groupby(
            requests, key=lambda request: (*_cells(request, path_prefix), request.user)
        )
    ]
    rows = [_row(group, path_prefix, default_user) for group in groups[-_MAX_ROWS:]]
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]
    hidden = sum(map(len, groups[:-_MAX_ROWS]))
    if hidden:
        lines.insert(0, f"({hidden} earlier requests are not shown)")
    return "\n".join(lines)


def coloured(table: str) -> str:
    """Return a table with ANSI colours for the status of each request."""
    return "\n".join(_OUTCOME.sub(_coloured, line) for line in table.split("\n"))


def _coloured(row: re.Match[str]) -> str:
    colour = _COLOURS.get(row["status"], _RED)
    return f"{row['before']}\x1b[{colour}m{row['outcome']}\x1b[0m"


def _row(requests: Sequence[Request], path_prefix: str, default_user: str) -> tuple[str, ...]:
    """Return the cells of equal requests. The duration is that of the slowest one."""
    first = requests[0]
    *described, outcome = _cells(first, path_prefix)
    user = "" if first.user == default_user else first.user or "unauthenticated"
    duration = _duration(max(request.seconds for request in requests))
    return (*described[:3], user, *described[3:], duration, outcome + repeated(len(requests)))


def _cells(request: Request, path_prefix: str) -> tuple[str, ...]:
    filename = request.filename or ""
    return (
        request.method,
        request.path.removeprefix(path_prefix) or "/",
        "" if filename in request.path else filename,
        request.user_agent.partition(" ")[0],
        request.outcome,
    )


def _duration(seconds: float) -> str:
    milliseconds = f"{round(seconds * 1000)} ms"
    return (milliseconds if seconds < 1 else f"{seconds:.1f} s").rjust(len("999 ms"))
