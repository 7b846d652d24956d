"""The speed of uploads: many small files, and one large file with the memory that it needs."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.forms import Release, large_form, small_form
from benchmarks.servers import Running
from benchmarks.table import BY_HAND, DEVPI, OURS, PYPISERVER, Row, interleaved
from benchmarks.targets import Target, targets

_SMALL = (OURS, PYPISERVER)
_LARGE = (OURS, PYPISERVER, DEVPI, BY_HAND)
_SMALL_BYTES = 10_000
_SMALL_FILES = 200
_DEVPI_FILES = 24
_PROJECTS = 20
_CONNECTIONS = 8
_LARGE_BYTES = 200 << 20
_LARGE_CHUNK = 1 << 20
_LARGE_ROUNDS = 5
_SAMPLE_SECONDS = 0.002
_MIB = 1 << 20


def small_uploads(folder: Path, rounds: int) -> list[Row]:
    """Measure uploads of new 10 kB files, over one connection and over several."""
    payload = os.urandom(_SMALL_BYTES)
    numbers = count()

    def forms(files: int = _SMALL_FILES) -> list[bytes]:
        batch = next(numbers)
        return [
            small_form(Release(f"small{batch}x{file % _PROJECTS}", f"1.{file}"), payload)
            for file in range(files)
        ]

    rows = []
    for connections, goal in ((1, f"1.3 x {PYPISERVER}"), (_CONNECTIONS, f"1.6 x {PYPISERVER}")):
        subfolder = folder / str(connections)
        subfolder.mkdir()
        with targets(subfolder, _SMALL, threads=connections > 1) as fast:
            measures = {
                name: partial(_rate, target, forms, connections) for name, target in fast.items()
            }
            rates = interleaved(measures, rounds)
        # devpi-server needs so long for each upload that few uploads are exact enough.
        (subfolder / "slow").mkdir()
        with targets(subfolder / "slow", [DEVPI], threads=True) as slow:
            few = partial(forms, _DEVPI_FILES)
            rates |= interleaved({DEVPI: partial(_rate, slow[DEVPI], few, connections)}, 1)
        plural = "" if connections == 1 else "s"
        rows.append(Row(f"uploads of 10 kB, {connections} connection{plural}", "/s", rates, goal))
    return rows


def _rate(target: Target, new_forms: Callable[[], list[bytes]], connections: int) -> float:
    forms = new_forms()

    def send(number: int) -> None:
        with contextlib.closing(target.connect()) as connection:
            for form in forms[number::connections]:
                target.upload(connection, form)

    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(send, range(connections)))
    return len(forms) / (time.perf_counter() - start)


def large_upload(folder: Path, _: int) -> list[Row]:
    """Measure an upload of 200 MB, and the memory that the server needs for it."""
    form = folder / "form"
    large_form(
        Release("large", "1.0"), form, os.urandom(_LARGE_CHUNK), _LARGE_BYTES // _LARGE_CHUNK
    )
    size = form.stat().st_size
    added_memory: dict[str, float] = {}

    def send(target: Target) -> float:
        with _peak(target.server) as peak, contextlib.closing(target.connect()) as connection:
            start = time.perf_counter()
            target.upload(connection, form)
            seconds = time.perf_counter() - start
        name = target.server.name
        added_memory[name] = max(added_memory.get(name, 0.0), peak.added)
        return size / _MIB / seconds

    with targets(folder, _LARGE, threads=False) as started:
        measures = {name: partial(send, target) for name, target in started.items()}
        speeds = interleaved(measures, _LARGE_ROUNDS, warm_up=0)
    return [
        Row("upload of 200 MB", "MiB/s", speeds, f"0.8 x {BY_HAND}", BY_HAND),
        Row("upload of 200 MB, peak of added memory", "MiB", added_memory, "20 MiB"),
    ]


@dataclass(slots=True)
class Peak:
    """The largest increase of a server's memory."""

    added: float = 0.0


@contextlib.contextmanager
def _peak(server: Running) -> Iterator[Peak]:
    before, peak, stop = server.memory, Peak(), threading.Event()

    def sample() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            peak.added = max(peak.added, server.memory - before)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield peak
    finally:
        stop.set()
        sampler.join()
