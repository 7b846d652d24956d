"""A server in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.wait import wait_until

# On Windows, the event that stops a server goes to a whole process group.
_OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


def wait_for_state(path: Path, check: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Wait for the state file of a server, and return its content.

    Args:
        path: the state file.
        check: called before each attempt; raises an exception if the server has failed.
    """
    contents: list[bytes] = []

    def read() -> bool:
        check()
        # Windows cannot open a file that another process renames at this moment.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            contents.append(path.read_bytes())
        return bool(contents)

    wait_until(read, f"{path.name} of a server")
    state: dict[str, Any] = json.loads(contents[0])
    return state


class ServerProcess:
    """A process of `cloudrepo-server serve`, started with these arguments.

    Args:
        folder: a new folder for the state file, the log and temporary files.
        *arguments: further options of `serve`.
        environ: additional environment variables.
    """

    def __init__(
        self, folder: Path, *arguments: str | Path, environ: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state_file = folder / "state.json"
        self.temporary = folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self._log = folder / "log"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("CLOUDREPO_")
        }
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "cloudrepo_server", "serve"),
                    *("--state-file", self.state_file),
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                creationflags=_OWN_GROUP,
                stdout=log,
                stderr=subprocess.STDOUT,
                # With a temporary folder of its own, tests can see what the server leaves there.
                env={
                    **inherited,
                    **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary)),
                    **(environ or {}),
                },
            )

    @property
    def log(self) -> str:
        """The output of the process so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        return self.process.pid

    def state(self) -> dict[str, Any]:
        """Wait for the state file, and return its content."""

        def check() -> None:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server exited with {self.process.returncode}: {self.log}")

        return wait_for_state(self.state_file, check)

    def wait(self) -> int:
        """Wait until the process exits, and return its exit status."""
        wait_until(lambda: self.process.poll() is not None, f"the server {self.pid} to exit")
        return self.process.wait()

    def stop(self) -> int:
        """Shut the server down as a service manager does, and return its exit status.

        On Windows without a console a server can only be killed. The status is 0 then.
        """
        if self.process.poll() is None:
            if sys.platform == "win32":
                try:
                    self.process.send_signal(signal.CTRL_BREAK_EVENT)
                except OSError:
                    self.kill()
                    return 0
            else:
                self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        """Kill the process, which has no chance to clean up."""
        self.process.kill()
        self.process.wait()
