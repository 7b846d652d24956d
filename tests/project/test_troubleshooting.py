"""docs/troubleshooting.md quotes error messages as they are in the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "troubleshooting.md"
# Printed by pip.
OTHER_PROGRAMS = {"ERROR: No matching distribution found for …"}


def messages() -> str:
    """Return every string of both packages, one per line; `…` stands for each inserted value."""
    packages = (PROJECT / "pytest_cloudrepo", PROJECT / "server" / "cloudrepo_server")
    texts = [
        _text(node)
        for package in packages
        for module in package.rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
    ]
    return "\n".join(re.sub(r"\{\w+\}", "…", text) for text in texts if text)


def test_each_quoted_error_message_is_in_the_code() -> None:
    headings = re.findall(r"^### (?:\d+ )?`([^`]+)`", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(headings) > 30
    known = messages()
    quoted = set(headings) - OTHER_PROGRAMS
    assert [heading for heading in quoted if heading.strip("… ") not in known] == []


def _text(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(value) or "…" for value in values)
    return ""
