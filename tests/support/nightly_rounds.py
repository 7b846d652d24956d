"""Runs the nightly tests: once for a whole night, or in short rounds for a number of minutes.

`CLOUDREPO_NIGHTLY_MINUTES` is the number of minutes. A round that has begun then is finished. Each
round makes other random choices.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

_ROUND = "0.01"
"""The fraction of a night that one round takes."""


def main(arguments: list[str]) -> int:
    """Run `pytest -m nightly` with these arguments; return its first exit status that is not 0."""
    minutes = os.environ.get("CLOUDREPO_NIGHTLY_MINUTES")
    if not minutes:
        return _run(os.environ.get("CLOUDREPO_NIGHTLY") or "1", arguments)
    deadline = time.monotonic() + 60 * float(minutes)
    while time.monotonic() < deadline:
        status = _run(_ROUND, arguments)
        if status:
            return status
    return 0


def _run(nights: str, arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-m", "nightly", *arguments]
    environ = {**os.environ, "CLOUDREPO_NIGHTLY": nights}
    return subprocess.run(command, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
