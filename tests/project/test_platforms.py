"""The documentation lists all code that depends on the platform, and mypy can check this code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MARKERS = "tests/support/platforms.py"


def modules(*folders: str) -> dict[str, ast.Module]:
    """Return the syntax trees of the modules in these folders, by path."""
    return {
        path.relative_to(PROJECT).as_posix(): ast.parse(path.read_text("utf-8"))
        for folder in folders
        for path in (PROJECT / folder).rglob("*.py")
    }


def depends_on_platform(tree: ast.AST) -> bool:
    """Return whether code reads `sys.platform`."""
    return any(ast.unparse(node) == "sys.platform" for node in ast.walk(tree))


def unchecked_questions(tree: ast.AST) -> list[str]:
    """Return the expressions about the platform that mypy does not understand."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("hasattr", "getattr"):
            if ast.unparse(node.args[0]) in ("os", "signal", "socket", "subprocess", "sys"):
                found.append(ast.unparse(node))
        elif ast.unparse(node) in ("os.name", "os.uname"):
            found.append(ast.unparse(node))
    return found


def test_the_documentation_lists_the_modules_that_depend_on_the_platform() -> None:
    page = (PROJECT / "docs/reference/platforms.md").read_text("utf-8")
    listed = re.findall(r"^\| `([^`]+\.py)` \|", page, re.MULTILINE)
    found = modules("pytest_cloudrepo", "server")
    assert listed == sorted(name for name, tree in found.items() if depends_on_platform(tree))


def test_the_packages_ask_for_the_platform_as_mypy_understands_it() -> None:
    found = modules("pytest_cloudrepo", "server")
    questions = {name: unchecked_questions(tree) for name, tree in found.items()}
    assert {name: each for name, each in questions.items() if each} == {}


@pytest.mark.parametrize(
    "code", ['os.name == "nt"', 'hasattr(os, "fork")', 'getattr(signal, "SIGHUP", None)']
)
def test_other_questions_about_the_platform_are_found(code: str) -> None:
    assert unchecked_questions(ast.parse(code))


def test_tests_that_need_posix_have_the_shared_marker() -> None:
    # Other markers that depend on the platform are for what only Linux or only Windows has.
    copies = []
    for name, tree in modules("tests").items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.skipif":
                condition = ast.unparse(node.args[0])
                if condition in ("sys.platform == 'win32'", "os.name == 'nt'", "WINDOWS"):
                    copies.append(f"{name}: {ast.unparse(node)}")
    assert [copy for copy in copies if not copy.startswith(MARKERS)] == []
