"""Other people's test suites: pytest runs of their own that use the plugin."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GENEROUS = 60.0


class Suite:
    """A folder of tests, and the pytest runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A temporary folder of the suite's own shows whatever is left in it.
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._runs: list[subprocess.Popen[str]] = []

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.folder / f"{name}.py").write_text(text, encoding="utf-8")

    def start(
        self, *arguments: str, python: tuple[str, ...] = (), **environ: str
    ) -> subprocess.Popen[str]:
        """Start pytest, in a process group of its own, as a terminal does."""
        keep = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        run = subprocess.Popen(
            [sys.executable, *python, "-m", "pytest", *arguments],
            cwd=self.folder,
            env={**keep, "TMPDIR": str(self.temporary), "COLUMNS": "200", **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=sys.platform != "win32",
        )
        self._runs.append(run)
        return run

    def run(self, *arguments: str, python: tuple[str, ...] = (), **environ: str) -> Outcome:
        run = self.start(*arguments, python=python, **environ)
        output, _ = run.communicate(timeout=2 * GENEROUS)
        return Outcome(run.returncode, output)

    @staticmethod
    def wait_for(condition: Callable[[], object], what: str, *, seconds: float = GENEROUS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {seconds:g} s for {what}", pytrace=False)
            time.sleep(0.02)  # between two looks at the condition

    def wait_until_exists(self, name: str) -> None:
        self.wait_for((self.folder / name).exists, f"{name} from the inner tests")

    def read(self, pattern: str) -> list[str]:
        return [path.read_text(encoding="utf-8") for path in sorted(self.folder.glob(pattern))]

    def servers(self) -> list[psutil.Process]:
        """The index servers that runs of this suite started and that run now."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                if "cloudrepo_server" in words and str(self.folder) in " ".join(words):
                    found.append(process)
        return found

    def run_folders(self) -> list[Path]:
        """What runs keep in pytest's cache."""
        return list((self.folder / ".pytest_cache/d/.xprocess").glob("*"))

    def temporary_folders(self) -> list[Path]:
        """What is in the temporary folder, but for pytest's own."""
        return [path for path in self.temporary.iterdir() if not path.name.startswith("pytest-of")]

    def left(self) -> list[object]:
        return [*self.servers(), *self.run_folders(), *self.temporary_folders()]

    def expect_nothing_left(self) -> None:
        deadline = time.monotonic() + 3.0  # what the plugin promises
        while left := self.left():
            if time.monotonic() > deadline:
                pytest.fail(f"still there 3 s after the run: {left}", pytrace=False)
            time.sleep(0.02)  # between two looks

    def close(self) -> None:
        for run in self._runs:
            if run.poll() is None:
                if sys.platform != "win32":
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(run.pid, signal.SIGKILL)
                run.kill()
            if run.stdout is not None:
                run.stdout.close()
            run.wait()
        for server in self.servers():
            with contextlib.suppress(psutil.Error):
                server.kill()


class Outcome:
    """How an inner run ended."""

    def __init__(self, status: int, output: str) -> None:
        self.status = status
        self.output = output

    def __repr__(self) -> str:
        return f"exit status {self.status}\n{self.output}"

    def counts(self) -> dict[str, int]:
        """The last line's numbers: passed, failed, errors."""
        last = self.output.strip().splitlines()[-1]
        words = last.replace(",", "").strip("= ").split()
        known = {"passed": "passed", "failed": "failed", "error": "errors", "errors": "errors"}
        return {
            known[word]: int(number)
            for number, word in pairwise(words)
            if word in known
        }


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    suite = Suite(folder)
    yield suite
    suite.close()
