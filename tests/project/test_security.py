"""SECURITY.md lists every promise once, with existing tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def promises() -> list[str]:
    """Return the rows of the table of promises, without its header."""
    text = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    section = text.partition("## What is promised")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def names_of_tests_in(path: Path) -> set[str]:
    """Return the names of the tests in a module."""
    parsed = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(parsed)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_promise_names_an_existing_test() -> None:
    assert len(promises()) > 10
    for row in promises():
        named = NAMED.findall(row)
        assert named, f"no test is named for: {row}"
        for path, name in named:
            assert (PROJECT / path).is_file(), row
            assert name in names_of_tests_in(PROJECT / path), f"{path} has no {name}"


def test_every_promise_is_listed_once() -> None:
    texts = [row.split("|")[1].strip() for row in promises()]
    assert sorted(texts) == sorted(set(texts))
