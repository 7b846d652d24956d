"""SECURITY.md lists every promise once, and every limit, with existing tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import msgspec

from cloudrepo_server import limits

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
    # A merge may keep the old and the new wording of a promise, which begin with the same words.
    beginnings = [" ".join(row.split("|")[1].split()[:8]) for row in promises()]
    assert sorted(beginnings) == sorted(set(beginnings))


# Limits

FACTORS = {"KiB": 1 << 10, "MiB": 1 << 20}
OPTIONS = {"requests": "--max-requests", "stall_seconds": "--stall-timeout"}
"""The options of limits whose names differ; the others are like `--max-file-bytes`."""


def rows_of_limits(table: int) -> list[list[str]]:
    """Return the cells of a table of limits: the first has the options, the second the others."""
    text = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    section = text.partition("## Limits")[2].partition("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    lines = tables[table].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def value_of(text: str) -> float | None:
    """Return the number at the beginning of a text such as `64 KiB` or `1,024 characters`."""
    found = re.match(r"([\d,]+)(?: (\w+))?", text)
    if found is None:
        return None
    return float(found[1].replace(",", "")) * FACTORS.get(found[2] or "", 1)


def test_the_table_of_fixed_limits_has_every_limit_with_its_value() -> None:
    constants = {name: value for name, value in vars(limits).items() if name.isupper()}
    listed = {row[0]: value_of(row[1]) for row in rows_of_limits(1) if row[0]}
    assert listed == constants


def test_the_table_of_options_has_every_limit_with_its_default() -> None:
    defaults = {
        OPTIONS.get(field.name, f"--max-{field.name.replace('_', '-')}"): field.default
        for field in msgspec.structs.fields(limits.Limits)
    }
    assert {row[0]: value_of(row[1]) for row in rows_of_limits(0)} == defaults


def test_every_limit_names_an_existing_test() -> None:
    rows = [*rows_of_limits(0), *rows_of_limits(1)]
    assert len(rows) > 30
    for row in rows:
        ((path, name),) = NAMED.findall(f"`{row[-1]}`")
        assert name in names_of_tests_in(PROJECT / path), f"{path} has no {name}"
