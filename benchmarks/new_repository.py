"""The time that the fixtures need to create a repository for a test."""

import time
from itertools import count
from pathlib import Path

from benchmarks.servers import ADMIN_PASSWORD, ADMIN_USERNAME, running
from benchmarks.table import DEVPI, OURS, Row, interleaved
from benchmarks.targets import Devpi
from pytest_cloudrepo.client import Server

MILLI = 1000
_REPOSITORIES = 20


def new_repository(folder: Path, rounds: int) -> list[Row]:
    """Measure the time to create a repository with its own user."""
    numbers = count()
    with (
        running(OURS, folder / "server") as server,
        running(DEVPI, folder / "devpi") as devpi_server,
    ):
        admin = Server(server.url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder)
        devpi = Devpi(devpi_server)

        def create() -> float:
            start = time.perf_counter()
            admin.create_repository()
            return (time.perf_counter() - start) * MILLI

        def create_devpi_index() -> float:
            start = time.perf_counter()
            devpi.create_index(f"user{next(numbers)}")
            return (time.perf_counter() - start) * MILLI

        times = interleaved({OURS: create}, rounds * _REPOSITORIES, warm_up=_REPOSITORIES)
        times |= interleaved({DEVPI: create_devpi_index}, rounds)
        admin.close()
    return [Row("new repository with its user", "ms", times, f"3 ms, 0.02 x {DEVPI}", DEVPI)]
