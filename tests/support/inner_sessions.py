"""Other people's test suites: pytest runs of their own that use the plugin."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

GENEROUS = 60.0

USES = """
def test_uses_it(cloudrepo):
    assert cloudrepo.files("demo") == []
"""

# Python loads a module of this name at its start, also in the index server.
DIES = """
import os, sys
if "cloudrepo_server" in sys.orig_argv:
    print("the disk is on fire", file=sys.stderr, flush=True)
    os._exit(3)
"""


class Suite:
    """A folder of tests, and the pytest runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A temporary folder of the suite's own shows whatever is left in it.
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        # Others that are installed here may cost the inner runs a second each.
        self.plugins = ["xdist", "xprocess", "cloudrepo"]
        self._runs: list[Run] = []

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.folder / f"{name}.py").write_text(text, encoding="utf-8")

    def start(
        self,
        *arguments: str,
        python: tuple[str, ...] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Run:
        """Start pytest, in a process group of its own, as a terminal does."""
        # Where tox says that it runs the tests, pytest has its cache there, and not in the suite.
        outer = ("PYTEST_", "TOX_")
        keep = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
        plugins = [f"-p{name}" for name in self.plugins]
        run = Run(
            [sys.executable, *python, "-m", "pytest", *plugins, *arguments],
            folder=self.folder,
            environ={
                **keep,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "TMPDIR": str(self.temporary),
                "COLUMNS": "200",
                **(environ or {}),
            },
            output=self.folder / f"output-{len(self._runs)}.txt",
        )
        self._runs.append(run)
        return run

    def run(
        self,
        *arguments: str,
        python: tuple[str, ...] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Outcome:
        return self.start(*arguments, python=python, environ=environ).wait()

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
            run.kill()
        for server in self.servers():
            with contextlib.suppress(psutil.Error):
                server.kill()


class Run:
    """A pytest run that may still be going on."""

    def __init__(
        self, command: list[str], *, folder: Path, environ: dict[str, str], output: Path
    ) -> None:
        self._output = output
        # Where this process was started to ignore Ctrl-C (in the background, by nohup), the run
        # would ignore it too.
        ours = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with output.open("w", encoding="utf-8") as file:
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=sys.platform != "win32",
                )
        finally:
            signal.signal(signal.SIGINT, ours)

    def wait(self) -> Outcome:
        """Wait for the controller alone: its workers may take longer."""
        status = self._process.wait(timeout=2 * GENEROUS)
        return Outcome(status, self._output.read_text(encoding="utf-8", errors="replace"))

    def signal(self, name: str, *, whole_group: bool) -> None:
        number = getattr(signal, name)
        if whole_group:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)

    def kill(self) -> None:
        if sys.platform != "win32":
            # Also the workers whose controller is gone.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()


class Outcome:
    """How an inner run ended."""

    def __init__(self, status: int, output: str) -> None:
        self.status = status
        self.output = output

    def __repr__(self) -> str:
        return f"exit status {self.status}\n{self.output}"

    def counts(self) -> dict[str, int]:
        """The summary's numbers: passed, failed, errors."""
        *_, summary = re.findall(
            r"^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s", self.output, re.MULTILINE
        )
        counted = re.findall(r"(\d+) (passed|failed|error)", summary)
        return {word.replace("error", "errors"): int(number) for number, word in counted}


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    suite = Suite(folder)
    yield suite
    suite.close()


class WheelFactory(Protocol):
    def __call__(self, name: str, version: str, *, content: str = "") -> Path: ...


@pytest.fixture
def wheel(tmp_path: Path) -> WheelFactory:
    """Writes a valid wheel in a moment; the fixtures' own way is to build one."""

    def write(name: str, version: str, *, content: str = "") -> Path:
        path = tmp_path / f"{name}-{version}-py3-none-any.whl"
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{name}.py", content)
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return path

    return write
