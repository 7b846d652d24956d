"""The conventions of this folder: each test is short and names the test that it is based on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
MAX_LINES = 15
PROJECTS = ("pip", "uv", "hatch", "twine", "Poetry", "pipx", "bandersnatch")
SOURCE = re.compile(rf"(?:{'|'.join(PROJECTS)}), \S+/\S+\.(?:py|rs),\s\w+")
CASES = {
    f"{path.stem}-{function.name}": function
    for path in sorted(FOLDER.glob("test_*.py"))
    if path != Path(__file__)
    for function in ast.parse(path.read_text("utf-8")).body
    if isinstance(function, ast.FunctionDef)
}


def test_every_project_has_cases() -> None:
    projects = {name.partition("-")[0].removeprefix("test_") for name in CASES}
    assert projects == {project.lower() for project in PROJECTS}
    assert len(CASES) >= 10


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_at_most_fifteen_lines(name: str) -> None:
    docstring, *body = CASES[name].body
    assert isinstance(docstring, ast.Expr)
    last = body[-1].end_lineno
    assert last is not None
    assert last - body[0].lineno + 1 <= MAX_LINES


@pytest.mark.parametrize("name", CASES)
def test_a_case_names_its_source(name: str) -> None:
    documentation = ast.get_docstring(CASES[name])
    assert documentation is not None
    assert SOURCE.fullmatch(documentation.split("\n\n")[1])
