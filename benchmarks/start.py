"""Cold start: from the spawn to the first answer."""

from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.commands import servers
from benchmarks.servers import running
from benchmarks.table import PYPISERVER, Row, interleaved

MILLI = 1000


def cold_start(folder: Path, rounds: int) -> list[Row]:
    """Start each server on an empty folder."""
    numbers = count()

    def start(name: str) -> float:
        with running(name, folder / str(next(numbers))) as server:
            return server.seconds * MILLI

    taken = interleaved({name: partial(start, name) for name in servers()}, rounds)
    return [Row("cold start, spawn to first answer", "ms", taken, f"1.3 x {PYPISERVER}")]
