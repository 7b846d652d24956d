"""SECURITY.md: every promise is held by a test that there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HOME = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def promises() -> list[str]:
    """The rows of the table of promises, without its head."""
    text = (HOME / "SECURITY.md").read_text(encoding="utf-8")
    section = text.partition("## What is promised")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def names_in(path: Path) -> set[str]:
    parsed = ast.parse(path.read_text(encoding="utf-8"))
    return {
        each.name
        for each in ast.walk(parsed)
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
    }


def test_every_promise_names_a_test_that_there_is() -> None:
    assert len(promises()) > 10
    for row in promises():
        named = NAMED.findall(row)
        assert named, f"no test holds: {row}"
        for path, name in named:
            assert (HOME / path).is_file(), row
            assert name in names_in(HOME / path), f"{path} has no {name}"
