"""Compare the output that a page shows with what a program printed, and find status codes."""

from __future__ import annotations

import re


def assert_printed(shown: str, printed: str) -> None:
    """Assert that each shown line was printed, in this order; `…` stands for any text.

    White space, durations and the length of lines such as `=====` may differ.
    """
    remaining = [_normalized(line) for line in printed.splitlines()]
    for line in shown.splitlines():
        pattern = ".*".join(map(re.escape, _normalized(line).split("…")))
        matches = [
            place for place, candidate in enumerate(remaining) if re.search(pattern, candidate)
        ]
        assert matches, f"the page shows {line!r}, but this was printed:\n{printed}"
        remaining = remaining[matches[0] + 1 :]


def shows_status(output: str, status: int) -> bool:
    """Return whether an output contains a status code.

    The same digits as a part of a name, a digest or a size are not a status code.
    """
    return re.search(rf"(?<![\w.:/-]){status}(?![\w/-]|\.\d)", output) is not None


def _normalized(line: str) -> str:
    line = re.sub(r"\d+\.\d+s", "N s", " ".join(line.split()))
    return re.sub(r"([-=_])\1{2,}", r"\1\1\1", line)
