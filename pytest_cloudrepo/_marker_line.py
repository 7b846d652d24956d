"""The place of a marker in the source code, which pytest does not record."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def marker_line(item: pytest.Item, marker: pytest.Mark) -> str:
    """Return the file and the line of a test's marker, such as `tests/test_it.py:12`.

    If the marker is not in the source code of the test's module, return the place of the test.
    """
    path, line, _ = item.location
    first_line = (line or 0) + 1
    try:
        nodes = list(ast.walk(ast.parse(item.path.read_bytes())))
    except (OSError, SyntaxError, ValueError):
        return f"{path}:{first_line}"
    # A test's own decorators are between its first line and its name. Markers of its class and of
    # its module are above.
    names = [
        node.lineno
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno >= first_line
    ]
    last_line = min(names, default=first_line)
    markers = [
        node.lineno for node in nodes if isinstance(node, ast.Call) and _creates(node, marker)
    ]
    above = [line for line in markers if line <= last_line]
    return f"{path}:{max(above, default=first_line)}"


def _creates(node: ast.Call, marker: pytest.Mark) -> bool:
    """Return whether a call creates a marker with these arguments."""
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr == marker.name
        and len(node.args) == len(marker.args)
        and {keyword.arg for keyword in node.keywords} == set(marker.kwargs)
    )
