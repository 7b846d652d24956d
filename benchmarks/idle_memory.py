"""The memory of a server without any requests."""

from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.commands import servers
from benchmarks.servers import running
from benchmarks.table import Row, interleaved


def idle_memory(folder: Path, rounds: int) -> list[Row]:
    """Measure the memory of each server after its first response."""
    numbers = count()

    def memory(name: str) -> float:
        with running(name, folder / str(next(numbers))) as server:
            return server.memory

    measures = {name: partial(memory, name) for name in servers()}
    values = interleaved(measures, max(3, rounds // 5), warm_up=0)
    return [Row("memory when idle", "MiB", values, "43 MiB")]
