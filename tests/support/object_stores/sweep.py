"""`cloudrepo-server sweep` for one prefix of a store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from tests.support.object_stores.engines import Engine
from tests.support.wait import wait_until

_MIN_AGE = 3.6
"""The age in seconds from which a sweep deletes unreferenced blobs, with some time to spare."""


class Sweep:
    """Runs the command `sweep` on the data of a store's URL."""

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine = engine
        self.url = url

    def __call__(
        self,
        older_than: str | None = None,
        *options: str,
        grace: str = "0s",
        variables: Mapping[str, str] | None = None,
        status: int = 0,
    ) -> str:
        """Sweep, check the exit status, and return what the command printed.

        Without an age, wait first until all blobs are old enough to be deleted.
        """
        if older_than is None:
            wait_until(self._all_blobs_are_old, "the blobs to be a few seconds old")
        completed = subprocess.run(
            [
                *(sys.executable, "-m", "cloudrepo_server", "sweep", "--data", self.url),
                *("--older-than", older_than or "0s", "--grace", grace, *options),
            ],
            env={**os.environ, **self.engine.environ(**(variables or {}))},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert completed.returncode == status, completed.stderr
        return completed.stdout

    @property
    def keys(self) -> set[str]:
        """The keys of all stored objects, except those of storage checks."""
        return {key for key in self.engine.keys(self.url) if not key.startswith("checks/")}

    def _all_blobs_are_old(self) -> bool:
        return all(age > _MIN_AGE for age in self.engine.ages(f"{self.url}/blobs"))
