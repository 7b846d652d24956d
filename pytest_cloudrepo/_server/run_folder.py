"""The folder of one test run: whose it is, what its server says, and when it may go."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_cloudrepo._programs.secret import Secret

if TYPE_CHECKING:
    import psutil

NAME_BYTES = 6
_STARTING_SECONDS = 1.0
_PAUSE = 0.005
NAMES = "cloudrepo-" + "[0-9a-f]" * 2 * NAME_BYTES


def new_name() -> str:
    """A name for a run, as `NAMES` matches it."""
    return f"cloudrepo-{os.urandom(NAME_BYTES).hex()}"


@dataclass(frozen=True, slots=True)
class ServerState:
    """What a server that can answer says of itself."""

    url: str
    pid: int
    username: str
    password: Secret


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder that a run's processes share, on one machine."""

    path: Path

    @property
    def scratch(self) -> Path:
        """Where the server puts its temporary files.

        It is not in the folder itself: pytest's cache may be on a slow disk, and another run's
        `--cache-clear` empties it. It has the run's name, so that whoever removes the folder finds
        it, even where the server was killed.
        """
        return Path(tempfile.gettempdir()) / f"{self.path.name}-files"

    @property
    def state_file(self) -> Path:
        """Where the server says that it can answer."""
        return self.path / "server.json"

    @property
    def owner_file(self) -> Path:
        """Where it says whose run this is."""
        return self.path / "owner.json"

    def claim(self, owner: int) -> bool:
        """Whether the caller is the first process of the run to ask: that one starts the server.

        Args:
            owner: the process whose end is the end of the run.
        """
        self.path.mkdir(mode=0o700, exist_ok=True)
        try:
            file = self.owner_file.open("x", encoding="utf-8")
        except FileExistsError:
            return False
        with file:
            json.dump({"pid": owner, "machine": _machine()}, file)
        self.scratch.mkdir(mode=0o700)
        return True

    def state(self) -> ServerState | None:
        """What the server says, or None while it says nothing."""
        try:
            content = json.loads(self.state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        admin = content["admin"]
        return ServerState(
            content["url"], content["pid"], admin["username"], Secret(admin["password"])
        )

    def pid(self) -> int | None:
        """The process that pytest-xprocess started here, or None before that."""
        # The file is empty for a moment while pytest-xprocess writes it.
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int((self.path / "xprocess.PID").read_text(encoding="utf-8"))
        return None

    def server(self) -> psutil.Process | None:
        """The run's server while it runs.

        A process id alone proves nothing, since another program may have got it meanwhile; the
        state file's path on the command line does.
        """
        import psutil  # only runs that use the server pay for it

        pid = self.pid()
        if pid is None:
            return None
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if is_alive(process) and str(self.state_file) in _words(process):
                return process
        return None

    def log(self) -> str:
        """What the server has printed."""
        try:
            return (self.path / "xprocess.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def is_abandoned(self) -> bool:
        """Whether neither the run nor its server can still be there; False where that is open.

        A process id says nothing about another machine's or container's processes.
        """
        import psutil  # only runs that use the server pay for it

        try:
            owner = json.loads(self.owner_file.read_text(encoding="utf-8"))
            pid, machine = int(owner["pid"]), owner["machine"]
        except (OSError, ValueError, TypeError, KeyError):
            return False
        if machine != _machine():
            return False
        try:
            if is_alive(psutil.Process(pid)):
                return False
        except psutil.NoSuchProcess:
            pass
        except psutil.Error:
            return False
        return self.server() is None

    def remove(self) -> None:
        """Remove all of it; what another program holds open stays for a later run's sweep."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove the folders that killed runs left in PARENT."""
    for path in parent.glob(NAMES):
        folder = RunFolder(path)
        if folder.is_abandoned():
            folder.remove()


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs; one that ended and was not reaped yet does not."""
    import psutil  # only runs that use the server pay for it

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _words(process: psutil.Process) -> list[str]:
    # For a moment after the start of a program Linux says that it has none.
    deadline = time.monotonic() + _STARTING_SECONDS
    words = process.cmdline()
    while not words and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        words = process.cmdline()
    return words


def _machine() -> str:
    """A name for all processes that share this one's process ids."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it is text, not a path
    except OSError:  # only Linux has containers' own process ids
        namespace = ""
    return f"{platform.node()} {namespace}".strip()
