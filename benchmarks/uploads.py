"""Uploads: many small files, and one large file with the memory that it takes."""

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
_FEW = 24
_PROJECTS = 20
_CONNECTIONS = 8
_LARGE_BYTES = 200 << 20
_LARGE_CHUNK = 1 << 20
_LARGE_ROUNDS = 5
_SAMPLE_SECONDS = 0.002
_MIB = 1 << 20


def small_uploads(folder: Path, rounds: int) -> list[Row]:
    """Upload new files of 10 kB, over one connection and over several."""
    payload = os.urandom(_SMALL_BYTES)
    numbers = count()

    def forms(files: int = _SMALL_FILES) -> list[bytes]:
        batch = next(numbers)
        return [
            small_form(Release(f"small{batch}x{file % _PROJECTS}", f"1.{file}"), payload)
            for file in range(files)
        ]

    rows = []
    for connections, reach in ((1, f"1.5 x {PYPISERVER}"), (_CONNECTIONS, "")):
        at = folder / str(connections)
        at.mkdir()
        with targets(at, _SMALL, threads=connections > 1) as found:
            measures = {
                name: partial(_rate, target, forms, connections) for name, target in found.items()
            }
            taken = interleaved(measures, rounds)
        (at / "slow").mkdir()
        # It takes so long for each that a few tell as much.
        with targets(at / "slow", [DEVPI], threads=True) as slow:
            few = partial(forms, _FEW)
            taken |= interleaved({DEVPI: partial(_rate, slow[DEVPI], few, connections)}, 1)
        plural = "" if connections == 1 else "s"
        rows.append(Row(f"uploads of 10 kB, {connections} connection{plural}", "/s", taken, reach))
    return rows


def _rate(target: Target, new_forms: Callable[[], list[bytes]], connections: int) -> float:
    forms = new_forms()

    def send(number: int) -> None:
        with contextlib.closing(target.connect()) as connection:
            for form in forms[number::connections]:
                target.upload(connection, form)

    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(send, range(connections)))
    return len(forms) / (time.perf_counter() - began)


def large_upload(folder: Path, _: int) -> list[Row]:
    """Upload 200 MB, and watch the server's memory meanwhile."""
    form = folder / "form"
    large_form(
        Release("large", "1.0"), form, os.urandom(_LARGE_CHUNK), _LARGE_BYTES // _LARGE_CHUNK
    )
    size = form.stat().st_size
    added: dict[str, float] = {}

    def send(target: Target) -> float:
        with _peak(target.server) as peak, contextlib.closing(target.connect()) as connection:
            began = time.perf_counter()
            target.upload(connection, form)
            seconds = time.perf_counter() - began
        added[target.server.name] = max(added.get(target.server.name, 0.0), peak.added)
        return size / _MIB / seconds

    with targets(folder, _LARGE, threads=False) as found:
        measures = {name: partial(send, target) for name, target in found.items()}
        taken = interleaved(measures, _LARGE_ROUNDS, warm_up=0)
    return [
        Row("upload of 200 MB", "MiB/s", taken, f"0.7 x {BY_HAND}", BY_HAND),
        Row("upload of 200 MB, memory added at most", "MiB", added, "20 MiB"),
    ]


@dataclass(slots=True)
class Peak:
    """What was added to a server's memory at most."""

    added: float = 0.0


@contextlib.contextmanager
def _peak(server: Running) -> Iterator[Peak]:
    before, peak, ended = server.memory, Peak(), threading.Event()

    def watch() -> None:
        while not ended.wait(_SAMPLE_SECONDS):
            peak.added = max(peak.added, server.memory - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()
