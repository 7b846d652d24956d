"""What the plugin costs a run that does not use it."""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.servers import INSTALLED
from benchmarks.table import OURS, Row, interleaved

MILLI = 1000


def collection(folder: Path, rounds: int) -> list[Row]:
    """Collect one trivial test, with the plugin and without; pytest-xprocess is there in both."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")

    def collect(*options: str) -> float:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", *options],
            cwd=folder,
            env=INSTALLED,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        return (time.perf_counter() - began) * MILLI

    taken = interleaved(
        {"with": collect, "without": lambda: collect("-p", "no:cloudrepo")}, 2 * rounds
    )
    return [
        Row("`pytest --collect-only` without the plugin", "ms", {OURS: taken["without"]}),
        Row(
            "`pytest --collect-only`, what the plugin adds",
            "ms",
            {OURS: taken["with"] - taken["without"]},
            "30 ms",
        ),
    ]
