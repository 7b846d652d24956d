"""`cloudrepo-server sweep` for one prefix of a store."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.object_stores.engines import Engine


class Sweep:
    """Runs the command `sweep` on the data of a store's URL."""

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine = engine
        self.url = url

    def __call__(self, older_than: str = "0s", *options: str) -> str:
        """Sweep without a grace period, and return what the command printed."""
        completed = subprocess.run(
            [
                *(sys.executable, "-m", "cloudrepo_server", "sweep", "--data", self.url),
                *("--older-than", older_than, "--grace", "0s", *options),
            ],
            env={**os.environ, **self.engine.environ()},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    @property
    def keys(self) -> set[str]:
        """The keys of all stored objects, except those of storage checks."""
        return {key for key in self.engine.keys(self.url) if not key.startswith("checks/")}
