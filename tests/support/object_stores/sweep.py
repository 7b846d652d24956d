"""`cloudrepo-server sweep` of a place of a store."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.object_stores.engines import Engine


class Sweep:
    """Sweeps one place of a store."""

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine = engine
        self.url = url

    def __call__(self, older_than: str = "0s", *more: str) -> str:
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "cloudrepo_server", "sweep", "--data", self.url),
                *("--older-than", older_than, "--grace", "0s", *more),
            ],
            env={**os.environ, **self.engine.environ()},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @property
    def keys(self) -> set[str]:
        return {key for key in self.engine.keys(self.url) if not key.startswith("checks/")}
