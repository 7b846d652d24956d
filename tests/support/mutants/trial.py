"""Runs the tests of one mutant in a copy of the project."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.mutants.candidates import Mutant
from tests.support.mutants.line_map import LineMap
from tests.support.mutants.scope import SERVER

_COPIED = ("conftest.py", "pyproject.toml", "server", "pytest_cloudrepo", "tests")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc")
_FIRST_SECONDS = 8.0
_FIRST_TESTS = 12
_START_SECONDS = 60.0
_FACTOR = 10.0
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.*)", re.MULTILINE)

KILLED = "killed"
TIMED_OUT = "timed out"
SURVIVED = "survived"
NOT_EXECUTED = "not executed"


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of the trial of a mutant.

    Attributes:
        outcome: killed, timed out, survived, or not executed by any test.
        reason: pytest's summary of the test that failed.
        tests: how many tests ran at most.
        left_out: how many further tests execute the line but were left out, to save time.
        seconds: how long the tests took.
    """

    outcome: str
    reason: str = ""
    tests: int = 0
    left_out: int = 0
    seconds: float = 0.0


class Copy:
    """A copy of the project, in which one module at a time is a mutant."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.folder = folder
        for name in _COPIED:
            source = project / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=_NOT_COPIED)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, folder / name)

        self._mutants = 0
        self._preloaded = subprocess.Popen(
            [sys.executable, "-m", "tests.support.mutants.preloaded"],
            cwd=folder,
            env=self.environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def environ(self) -> dict[str, str]:
        """Return the environment in which Python imports the copy."""
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self.folder / "server"), str(self.folder)]),
        }

    def try_mutant(self, mutant: Mutant, line_map: LineMap, *, seconds: float) -> Result:
        """Run the tests that may notice the mutant until one fails.

        Args:
            mutant: the change.
            line_map: which tests execute the changed line.
            seconds: the bound on the time of these tests, as measured without a mutant.
        """
        tests = line_map.tests_of(mutant)
        if not tests:
            return Result(outcome=NOT_EXECUTED)
        started, count = time.monotonic(), 0
        file = self.folder / mutant.path
        original = file.stat()
        file.write_text(mutant.code(), encoding="utf-8")
        # Python compiles a module again if its time in seconds has changed.
        self._mutants += 1
        os.utime(file, (original.st_atime, original.st_mtime + self._mutants))
        try:
            outcome, reason = SURVIVED, ""
            for batch in batches(mutant, tests, line_map, seconds=seconds):
                count += len(batch)
                outcome, reason = self._run(batch, sum(line_map.seconds[test] for test in batch))
                if outcome != SURVIVED:
                    break
        finally:
            file.write_text(mutant.source, encoding="utf-8")
            os.utime(file, ns=(original.st_atime_ns, original.st_mtime_ns))
        return Result(
            outcome=outcome,
            reason=reason,
            tests=count,
            left_out=len(tests) - count if outcome == SURVIVED else 0,
            seconds=time.monotonic() - started,
        )

    def _run(self, tests: list[str], expected: float) -> tuple[str, str]:
        with tempfile.TemporaryDirectory(prefix="mutants-") as name:
            arguments, output = Path(name, "tests"), Path(name, "output")
            arguments.write_text("\n".join(tests), encoding="utf-8")
            status = self._pytest(
                [
                    *("-x", "-q", "--tb=short", "--no-header", "--assert=plain"),
                    *("-p", "no:cacheprovider", f"--basetemp={Path(name, 'pytest')}"),
                    f"@{arguments}",
                ],
                output,
                timeout=_START_SECONDS + _FACTOR * expected,
            )
            text = output.read_text("utf-8", "replace")
        if status is None:
            return TIMED_OUT, ""
        if status == 0:
            return SURVIVED, ""
        failed = _FAILED.search(text)
        return KILLED, failed.group(1) if failed else text[-2000:]

    def _pytest(self, arguments: list[str], output: Path, *, timeout: float) -> int | None:
        """Run pytest and return its exit status, or None if it took too long."""
        if self._preloaded.stdin is None or self._preloaded.stdout is None:
            raise RuntimeError("the process has pipes")
        self._preloaded.stdin.write(json.dumps([arguments, str(output)]) + "\n")
        self._preloaded.stdin.flush()
        process = int(self._preloaded.stdout.readline())
        timed_out = threading.Event()

        def end() -> None:
            timed_out.set()
            _end(process)

        timer = threading.Timer(timeout, end)
        timer.start()
        status = int(self._preloaded.stdout.readline())
        timer.cancel()
        return None if timed_out.is_set() else status

    def close(self) -> None:
        """End the process that runs the tests."""
        self._preloaded.communicate()


def batches(
    mutant: Mutant, tests: frozenset[str], line_map: LineMap, *, seconds: float
) -> Iterator[list[str]]:
    """Yield the tests in the order in which they are likely to notice the mutant.

    The first batch is short: one set of parameters of each test, those of the module's own folder
    first. The second batch has the other tests.
    """
    folder = mutant.path.parent.name
    costs = line_map.seconds
    ordered = sorted(tests, key=lambda test: (f"/{folder}/" not in test, costs[test], test))
    functions = dict[str, str]()
    for test in ordered:
        functions.setdefault(test.partition("[")[0], test)
    first = _within(functions.values(), costs, seconds=_FIRST_SECONDS)[:_FIRST_TESTS]
    yield first
    # One set of parameters of each function comes before all further sets.
    remaining = [
        test for test in dict.fromkeys([*functions.values(), *ordered]) if test not in first
    ]
    second = _within(remaining, costs, seconds=seconds - sum(costs[test] for test in first))
    if second:
        yield second


def _within(tests: Iterable[str], costs: Mapping[str, float], *, seconds: float) -> list[str]:
    """Return the tests that fit into the time, but at least the first test."""
    chosen, spent = list[str](), 0.0
    for test in tests:
        if not chosen or spent + costs[test] <= seconds:
            chosen.append(test)
            spent += costs[test]
    return chosen


def _end(process: int) -> None:
    """Kill pytest and every process that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        tests = psutil.Process(process)
        for each in [*tests.children(recursive=True), tests]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def check(copy: Copy) -> None:
    """Check that Python imports the server from the copy.

    Raises:
        RuntimeError: it imports another one.
    """
    imported = subprocess.run(
        [sys.executable, "-c", "import cloudrepo_server; print(cloudrepo_server.__file__)"],
        cwd=copy.folder,
        env=copy.environ(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    if not Path(imported).is_relative_to(copy.folder / SERVER):
        raise RuntimeError(f"The tests would import {imported}, and not the copy.")
