"""The folder of one pytest session: its owner, the server's state and its process.

pytest-xprocess writes two files into it: `xprocess.PID` with the server's process id, and
`xprocess.log` with the server's output.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import stat
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_cloudrepo import _own_files
from pytest_cloudrepo._programs.secret import Secret, issue
from pytest_cloudrepo._removal import remove_folder

if TYPE_CHECKING:
    import psutil

_NAME_BYTES = 6
_FOLDER_PATTERN = "cloudrepo-" + "[0-9a-f]" * 2 * _NAME_BYTES
_COMMAND_LINE_TIMEOUT = 1.0
_POLL_INTERVAL = 0.005
_MAX_RECORD_BYTES = 4096


def new_run_name() -> str:
    """Return a new, unique name for a pytest session; `_FOLDER_PATTERN` matches it."""
    return f"cloudrepo-{os.urandom(_NAME_BYTES).hex()}"


@dataclass(frozen=True, slots=True)
class ServerState:
    """The content of the state file, which the server writes when it is ready."""

    url: str
    pid: int
    username: str
    password: Secret


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder that the processes of one pytest session share."""

    path: Path

    @property
    def scratch(self) -> Path:
        """The folder for the server's temporary files.

        It is not inside `path`: pytest's cache may be on a slow disk, and `pytest --cache-clear` in
        another session empties it. It has the run's name, so a later session can find and remove it
        after the server was killed.
        """
        return Path(tempfile.gettempdir()) / f"{self.path.name}-files"

    @property
    def state_file(self) -> Path:
        """The path of the server's state file."""
        return self.path / "server.json"

    @property
    def owner_file(self) -> Path:
        """The path of the file that identifies the session's controller process."""
        return self.path / "owner.json"

    def claim(self, owner_pid: int) -> bool:
        """Create the folder, and return whether this process is the first of the session to do so.

        The first process has to start the server.

        Args:
            owner_pid: the process id of the session's controller.
        """
        self.path.mkdir(mode=0o700, exist_ok=True)
        try:
            file = self.owner_file.open("x", encoding="utf-8")
        except FileExistsError:
            return False
        with file:
            json.dump({"pid": owner_pid, "machine": _machine()}, file)
        self.scratch.mkdir(mode=0o700)
        return True

    def state(self) -> ServerState | None:
        """Return the content of the state file, or None if the server is not ready yet."""
        try:
            content = json.loads(self.state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except PermissionError:
            if sys.platform == "win32":
                # Windows cannot open a file that another process renames at this moment.
                return None
            raise
        admin = content["admin"]
        return ServerState(
            content["url"],
            content["pid"],
            admin["username"],
            issue(admin["password"], admin["username"]),
        )

    def pid(self) -> int | None:
        """Return the process id of the server, or None if no server was started."""
        # The file is empty for a moment while pytest-xprocess writes it.
        with contextlib.suppress(OSError, ValueError):
            pid = int(_read_own_file(self.path / "xprocess.PID"))
            return pid if pid > 0 else None
        return None

    def server_process(self) -> psutil.Process | None:
        """Return the server's process, or None if it does not run.

        Another program may have received the same process id after the server exited. So the
        process's command line must contain the path of this folder's state file.
        """
        import psutil  # only sessions that use the server need it

        pid = self.pid()
        if pid is None:
            return None
        # On Windows, psutil raises OSError if the process ends meanwhile.
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if is_running(process) and str(self.state_file) in _command_line(process):
                return process
        return None

    def log(self) -> str:
        """Return the server's output so far."""
        try:
            return (self.path / "xprocess.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def is_abandoned(self) -> bool:
        """Return whether the session and its server have both ended; False if that is unknown.

        It is unknown for the sessions of another machine or container, whose process ids have no
        meaning here. The folder may be in a shared /tmp, where other users can create folders with
        such names. So only this user's own folders and regular files count.
        """
        import psutil  # only sessions that use the server need it

        try:
            status = self.path.lstat()
            owner = json.loads(_read_own_file(self.owner_file))
            pid, machine = owner["pid"], owner["machine"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return False
        if (
            not stat.S_ISDIR(status.st_mode)
            or not _own_files.is_own(status)
            or machine != _machine()
        ):
            return False
        if type(pid) is not int or pid <= 0:
            return False
        try:
            if is_running(psutil.Process(pid)):
                return False
        except psutil.NoSuchProcess:
            pass
        except psutil.Error:
            return False
        return self.server_process() is None

    def remove(self) -> None:
        """Remove the folder and its scratch folder.

        Files that another program holds open may remain.
        """
        remove_folder(self.scratch)
        remove_folder(self.path)


def remove_abandoned_folders(parent: Path) -> None:
    """Remove the folders that this user's killed sessions left in `parent`."""
    with contextlib.suppress(OSError):
        for path in parent.glob(_FOLDER_PATTERN):
            folder = RunFolder(path)
            # Leftovers of other sessions must not cause an error. A later session tries again.
            with contextlib.suppress(Exception):
                if folder.is_abandoned():
                    folder.remove()


def is_running(process: psutil.Process) -> bool:
    """Return whether the process runs; a zombie does not."""
    import psutil  # only sessions that use the server need it

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _read_own_file(path: Path) -> str:
    """Return the first few kilobytes of a regular file of this user.

    Raises:
        OSError: it is a link, a named pipe or another user's file, or cannot be read.
        ValueError: it is not UTF-8.
    """
    with _own_files.open_own(path) as file:
        return file.read(_MAX_RECORD_BYTES).decode()


def _command_line(process: psutil.Process) -> list[str]:
    # On Linux the command line of a process is empty for a moment after the process started.
    deadline = time.monotonic() + _COMMAND_LINE_TIMEOUT
    arguments = process.cmdline()
    while not arguments and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL)
        arguments = process.cmdline()
    return arguments


def _machine() -> str:
    """Return an identifier of the machine or container in which process ids are unique."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - the target is not a path
    except OSError:  # only Linux has process id namespaces
        namespace = ""
    return f"{platform.node()} {namespace}".strip()
