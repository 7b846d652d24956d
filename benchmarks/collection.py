"""The time that the plugin adds to a pytest session that does not use it."""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.servers import INSTALLED
from benchmarks.table import OURS, Row, interleaved

MILLI = 1000


def collection(folder: Path, rounds: int) -> list[Row]:
    """Measure the time that the plugin adds to `pytest --collect-only`."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")

    def collect(*options: str) -> float:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", *options],
            cwd=folder,
            env=INSTALLED,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        return (time.perf_counter() - start) * MILLI

    # Both sessions load pytest-xprocess.
    times = interleaved(
        {"with": collect, "without": lambda: collect("-p", "no:cloudrepo")}, 2 * rounds
    )
    return [
        Row("`pytest --collect-only` without the plugin", "ms", {OURS: times["without"]}),
        Row(
            "time that the plugin adds to `pytest --collect-only`",
            "ms",
            {OURS: times["with"] - times["without"]},
            "9 ms",
        ),
    ]
