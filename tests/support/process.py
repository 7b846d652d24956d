"""The server as a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.wait import wait_until


class ServerProcess:
    """`cloudrepo-server serve`, started with these arguments."""

    def __init__(
        self, folder: Path, *arguments: str | Path, environ: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.state_file = folder / "state.json"
        self.temporary = folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self._log = folder / "log"
        kept = {
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
                stdout=log,
                stderr=subprocess.STDOUT,
                # Its temporary folder is one of its own, so that what it leaves there is seen.
                env={
                    **kept,
                    **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary)),
                    **(environ or {}),
                },
            )

    @property
    def log(self) -> str:
        """All that it printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        return self.process.pid

    def state(self) -> dict[str, Any]:
        """What its state file says, once it is there."""

        def ready() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.log}")
            return self.state_file.exists()

        wait_until(ready, f"{self.state_file.name} of a server")
        state: dict[str, Any] = json.loads(self.state_file.read_text(encoding="utf-8"))
        return state

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        wait_until(lambda: self.process.poll() is not None, f"the server {self.pid} to end")
        return self.process.wait()

    def stop(self) -> int:
        """End it as a service manager does, and give its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.process.kill()
        self.process.wait()
