"""Which tests execute which line of the server, in whichever process."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

import pytest

from tests.support.mutants.candidates import Mutant
from tests.support.mutants.recorder import DURATIONS, RUNNING, SITECUSTOMIZE, SIZE, VARIABLE
from tests.support.mutants.scope import SERVER


@dataclass(frozen=True, kw_only=True)
class LineMap:
    """The tests of each line, and how long each test takes.

    Attributes:
        tests: for each module and line, the tests that execute it.
        seconds: the duration of each test.
        sources: the code of each module.
    """

    tests: dict[str, dict[int, frozenset[str]]]
    seconds: dict[str, float]
    sources: dict[str, str]

    def tests_of(self, mutant: Mutant) -> frozenset[str]:
        """Return the tests that may notice a mutant."""
        path = mutant.path.as_posix()
        tree = ast.parse(mutant.source)
        if '__name__ == "__main__"' in mutant.source:
            return self._starters(mutant)
        line = mutant.change.start[0]
        function = _innermost(tree, line, ast.FunctionDef | ast.AsyncFunctionDef)
        statement = _innermost(tree, line, ast.stmt)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            if statement is function:
                # The line is in the signature, so a default has changed.
                return self._any(path, range(function.body[0].lineno, _end(function) + 1))
            return self._any(path, range(_start(statement), _end_of_header(statement) + 1))
        # The import executes this line. So these are the tests that use a name which it defines.
        names = {
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        users = frozenset[str]().union(*(self._users(name) for name in names))
        return users or self._any(path, range(1, len(mutant.source.splitlines()) + 1))

    def _starters(self, mutant: Mutant) -> frozenset[str]:
        """Return the tests of the modules that run a module in a process, which is not recorded."""
        name = ".".join(mutant.path.relative_to(SERVER.parent).with_suffix("").parts)
        return frozenset[str]().union(
            *(
                self._any(path, range(1, source.count("\n") + 1))
                for path, source in self.sources.items()
                if f'"{name}"' in source
            )
        )

    def _users(self, name: str) -> frozenset[str]:
        word = re.compile(rf"\b{re.escape(name)}\b")
        return frozenset[str]().union(
            *(
                self._any(path, range(_start(statement), _end_of_header(statement) + 1))
                for path, source in self.sources.items()
                if word.search(source)
                for statement in _statements_of_functions(ast.parse(source))
                if any(
                    word.search(line)
                    for line in source.splitlines()[
                        statement.lineno - 1 : _end_of_header(statement)
                    ]
                )
            )
        )

    def _any(self, path: str, lines: range) -> frozenset[str]:
        by_line = self.tests.get(path, {})
        return frozenset[str]().union(*(by_line.get(line, frozenset()) for line in lines))


def _innermost(tree: ast.AST, line: int, kind: type | UnionType) -> ast.AST:
    found = tree
    for node in ast.walk(tree):
        # `ast.walk` yields outer nodes before inner ones.
        if isinstance(node, kind) and _start(node) <= line <= _end(node):
            found = node
    return found


def _statements_of_functions(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.stmt) and inner is not node:
                    yield inner


def _start(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 1))


def _end(node: ast.AST) -> int:
    return int(getattr(node, "end_lineno", 1))


def _end_of_header(node: ast.AST) -> int:
    """Return the last line of a statement before the first statement that it contains."""
    inner = [_start(child) for child in ast.walk(node) if isinstance(child, ast.stmt)]
    inner = [line for line in inner if line > _start(node)]
    return min(inner) - 1 if inner else _end(node)


def measure(project: Path, folder: Path, tests: list[str]) -> LineMap:
    """Run these tests once, and return which lines they execute.

    Args:
        project: a copy of the project.
        folder: an empty folder for the recordings.
        tests: the arguments of pytest.

    Tests that fail although nothing was changed are left out; pytest reports them.

    Raises:
        RuntimeError: pytest could not run the tests.
    """
    folder.mkdir(parents=True)
    (folder / RUNNING).write_bytes(bytes(SIZE))
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
    server = project / SERVER
    process = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "tests.support.mutants.recording_plugin"),
            *tests,
        ],
        cwd=project,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (folder, server.parent, project))),
            VARIABLE: os.pathsep.join(map(str, (folder, server))),
        },
    )
    if process.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError("pytest could not run the tests; its report is above.")
    return load(project, folder)


def load(project: Path, folder: Path) -> LineMap:
    """Read the recordings of `measure`."""
    seconds = Counter[str]()
    failed = set[str]()
    for test, duration, outcome in _json_lines(folder / DURATIONS):
        seconds[test] += duration
        if outcome == "failed":
            failed.add(test)
    # A test that fails without a mutant would kill every mutant.
    for test in failed:
        del seconds[test]
    tests: dict[str, dict[int, set[str]]] = {}
    for file in folder.glob("*-*.jsonl"):
        for test, by_file in _json_lines(file):
            # Without a name: before the first test.
            for filename, lines in by_file.items() if test in seconds else ():
                module = tests.setdefault(Path(filename).relative_to(project).as_posix(), {})
                for line in lines:
                    module.setdefault(line, set()).add(test)
    return LineMap(
        tests={
            path: {line: frozenset(names) for line, names in module.items()}
            for path, module in tests.items()
        },
        seconds=dict(seconds),
        sources={
            path.relative_to(project).as_posix(): path.read_text("utf-8")
            for path in sorted((project / SERVER).rglob("*.py"))
        },
    )


def _json_lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def save(line_map: LineMap, file: Path) -> None:
    """Write a map to a file."""
    names = sorted(line_map.seconds)
    numbers = {name: number for number, name in enumerate(names)}
    content = {
        "names": names,
        "seconds": [line_map.seconds[name] for name in names],
        "sources": line_map.sources,
        "tests": {
            path: {line: sorted(numbers[test] for test in tests) for line, tests in lines.items()}
            for path, lines in line_map.tests.items()
        },
    }
    file.write_text(json.dumps(content), encoding="utf-8")


def read(file: Path) -> LineMap:
    """Read a map that `save` wrote."""
    content = json.loads(file.read_text("utf-8"))
    names = content["names"]
    return LineMap(
        tests={
            path: {
                int(line): frozenset(names[number] for number in numbers)
                for line, numbers in lines.items()
            }
            for path, lines in content["tests"].items()
        },
        seconds=dict(zip(names, content["seconds"], strict=True)),
        sources=content["sources"],
    )
