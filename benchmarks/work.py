"""What a test pays for its repository, and what a server that waits costs."""

import time
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.commands import servers
from benchmarks.servers import ADMIN_PASSWORD, ADMIN_USERNAME, running
from benchmarks.table import DEVPI, OURS, Row, interleaved
from benchmarks.targets import Devpi
from pytest_cloudrepo.client import Server

MILLI = 1000
_REPOSITORIES = 20


def new_repository(folder: Path, rounds: int) -> list[Row]:
    """Make repositories, each with a user of its own, as the fixtures do."""
    numbers = count()
    with running(OURS, folder / "server") as server, running(DEVPI, folder / "devpi") as other:
        admin, devpi = (
            Server(server.url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder),
            Devpi(other),
        )

        def make() -> float:
            began = time.perf_counter()
            admin.create_repository()
            return (time.perf_counter() - began) * MILLI

        def make_index() -> float:
            began = time.perf_counter()
            devpi.make_index(f"user{next(numbers)}")
            return (time.perf_counter() - began) * MILLI

        taken = interleaved({OURS: make}, rounds * _REPOSITORIES, warm_up=_REPOSITORIES)
        taken |= interleaved({DEVPI: make_index}, rounds)
        admin.close()
    return [Row("new repository with its user", "ms", taken, f"3 ms, 0.02 x {DEVPI}", DEVPI)]


def idle_memory(folder: Path, rounds: int) -> list[Row]:
    """Weigh each server after its first answer."""
    numbers = count()

    def weigh(name: str) -> float:
        with running(name, folder / str(next(numbers))) as server:
            return server.memory

    measures = {name: partial(weigh, name) for name in servers()}
    taken = interleaved(measures, max(3, rounds // 5), warm_up=0)
    return [Row("memory when idle", "MiB", taken, "60 MiB")]
