"""Inner pytest sessions: test suites in temporary folders that use the plugin as users do."""

from __future__ import annotations

import contextlib
import locale
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

from pytest_cloudrepo._programs.preloaded_tools import PRELOADED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

GENEROUS_TIMEOUT = 60.0
# Servers and their files disappear within a second on an idle machine, and later on a busy one.
CLEAN_UP_TIMEOUT = 20.0
POLL_INTERVAL = 0.02

# A test that needs the server.
USES = """
def test_uses_it(cloudrepo):
    assert cloudrepo.files("demo") == []
"""

# A `sitecustomize` module, which Python imports at startup: it makes the index server exit at once.
EXITS_AT_STARTUP = """
import os, sys
if "cloudrepo_server" in sys.orig_argv:
    print("the disk is on fire", file=sys.stderr, flush=True)
    os._exit(3)
"""


def tool_variables() -> dict[str, str]:
    """Return environment variables that disable preloaded tools if this session has none."""
    return {} if PRELOADED.enabled else {"PYTEST_ADDOPTS": "-o cloudrepo_preload_tools=false"}


class Suite:
    """A folder of tests, and the pytest sessions in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # With a temporary folder of its own, a test can see which files are left in it.
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        # Without other installed plugins, some of which slow down the start by a second.
        self.plugins = ["xdist", "xprocess", "cloudrepo"]
        self._sessions: list[InnerSession] = []

    def write(self, **modules: str) -> None:
        """Write Python modules, by name."""
        for name, text in modules.items():
            (self.folder / f"{name}.py").write_text(text, encoding="utf-8")

    def start(
        self,
        *arguments: str,
        python: tuple[str, ...] = (),
        program: Sequence[str | Path] | None = None,
        environ: Mapping[str, str] | None = None,
        console: bool = True,
    ) -> InnerSession:
        """Start pytest in a process group of its own, as a terminal does.

        Args:
            arguments: the arguments of pytest.
            python: options of the Python that runs pytest.
            program: the command that runs pytest; by default pytest with this Python.
            environ: variables to add to the environment.
            console: whether pytest has the console of this process, on Windows.
        """
        # With tox's variables, pytest would put its cache into tox's folder.
        outer = ("PYTEST_", "TOX_")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(outer)
        }
        plugins = [f"-p{name}" for name in self.plugins]
        program = program or [sys.executable, *python, "-m", "pytest"]
        session = InnerSession(
            [*map(str, program), *plugins, *arguments],
            folder=self.folder,
            environ={
                **environment,
                **tool_variables(),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "TMPDIR": str(self.temporary),
                "COLUMNS": "200",
                **(environ or {}),
            },
            output=self.folder / f"output-{len(self._sessions)}.txt",
            console=console,
        )
        self._sessions.append(session)
        return session

    def run(
        self,
        *arguments: str,
        python: tuple[str, ...] = (),
        program: Sequence[str | Path] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run pytest, and wait until it exits."""
        return self.start(*arguments, python=python, program=program, environ=environ).wait()

    @staticmethod
    def wait_for(
        condition: Callable[[], object], what: str, *, seconds: float = GENEROUS_TIMEOUT
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {seconds:g} s for {what}", pytrace=False)
            time.sleep(POLL_INTERVAL)

    def wait_until_exists(self, name: str) -> None:
        """Wait until an inner test has created a file."""
        self.wait_for((self.folder / name).exists, f"{name} from the inner tests")

    def read(self, pattern: str) -> list[str]:
        """Return the contents of the files that match a pattern, sorted by name."""
        return [path.read_text(encoding="utf-8") for path in sorted(self.folder.glob(pattern))]

    def servers(self) -> list[psutil.Process]:
        """Return the running index servers that sessions of this suite started."""
        found = []
        for process in psutil.process_iter():
            # On Windows, psutil raises OSError if the process ends meanwhile.
            with contextlib.suppress(psutil.Error, OSError):
                arguments = process.cmdline()
                command = " ".join(arguments)
                if "cloudrepo_server" in arguments and str(self.folder) in command:
                    found.append(process)
        return found

    def run_folders(self) -> list[Path]:
        """Return the folders of sessions in pytest's cache."""
        return list((self.folder / ".pytest_cache/d/.xprocess").glob("*"))

    def temporary_folders(self) -> list[Path]:
        """Return the contents of the temporary folder, without pytest's own folders."""
        return [path for path in self.temporary.iterdir() if not path.name.startswith("pytest-of")]

    def leftovers(self) -> list[object]:
        """Return the servers and folders of sessions that still exist."""
        return [*self.servers(), *self.run_folders(), *self.temporary_folders()]

    def expect_nothing_left(self) -> None:
        """Wait for all leftovers to disappear, and fail the test if they do not within seconds."""
        deadline = time.monotonic() + CLEAN_UP_TIMEOUT
        while leftovers := self.leftovers():
            if time.monotonic() > deadline:
                message = f"still there {CLEAN_UP_TIMEOUT:g} s after the session: {leftovers}"
                pytest.fail(message, pytrace=False)
            time.sleep(POLL_INTERVAL)

    def close(self) -> None:
        """Kill everything that still runs."""
        for session in self._sessions:
            session.kill()
        for server in self.servers():
            with contextlib.suppress(psutil.Error):
                server.kill()


class InnerSession:
    """A pytest session that may still be running."""

    def __init__(
        self,
        command: list[str],
        *,
        folder: Path,
        environ: dict[str, str],
        output: Path,
        console: bool,
    ) -> None:
        self._output = output
        with output.open("w", encoding="utf-8") as file:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=sys.platform != "win32",
                creationflags=0 if console else getattr(subprocess, "DETACHED_PROCESS", 0),
            )

    def wait(self) -> Outcome:
        """Wait for the controller process; workers of pytest-xdist may run longer."""
        status = self._process.wait(timeout=2 * GENEROUS_TIMEOUT)
        # On Windows, programs do not write their output in UTF-8 by default.
        encoding = locale.getpreferredencoding(do_setlocale=False)
        return Outcome(status, self._output.read_text(encoding=encoding, errors="replace"))

    def signal(self, name: str, *, whole_group: bool) -> None:
        number = getattr(signal, name)
        if whole_group:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)

    def kill(self) -> None:
        if sys.platform != "win32":
            # The group includes workers whose controller has exited.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()


class Outcome:
    """The exit status and output of an inner session."""

    def __init__(self, status: int, output: str) -> None:
        self.status = status
        self.output = output

    def __repr__(self) -> str:
        return f"exit status {self.status}\n{self.output}"

    def counts(self) -> dict[str, int]:
        """Return the numbers in pytest's summary: passed, failed, errors."""
        *_, summary = re.findall(
            r"^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s", self.output, re.MULTILINE
        )
        counted = re.findall(r"(\d+) (passed|failed|error)", summary)
        return {word.replace("error", "errors"): int(number) for number, word in counted}


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    """An empty test suite."""
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    suite = Suite(folder)
    yield suite
    suite.close()


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """pytest's fixture `pytester`; its inner sessions preload tools only if this session does."""
    for name, value in tool_variables().items():
        monkeypatch.setenv(name, value)
    return pytester


class WheelFactory(Protocol):
    """The value of the fixture `wheel`."""

    def __call__(self, name: str, version: str, *, content: str = "") -> Path: ...


@pytest.fixture
def wheel(tmp_path: Path) -> WheelFactory:
    """Writes small valid wheels, independently of the fixtures of the plugin."""

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
