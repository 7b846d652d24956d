"""The time from starting a server's process to its first response."""

from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.commands import servers
from benchmarks.servers import running
from benchmarks.table import PYPISERVER, Row, interleaved

MILLI = 1000


def cold_start(folder: Path, rounds: int) -> list[Row]:
    """Measure the time from the start of each server to its first response."""
    numbers = count()

    def start(name: str) -> float:
        with running(name, folder / str(next(numbers))) as server:
            return server.startup_seconds * MILLI

    times = interleaved({name: partial(start, name) for name in servers()}, rounds)
    return [Row("cold start, until the first response", "ms", times, f"1.3 x {PYPISERVER}")]
