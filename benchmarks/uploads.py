"""Uploads: many small files, and one large file with the memory that it takes."""

import base64
import contextlib
import http.client
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.forms import CONTENT_TYPE, Release, large_form, small_form
from benchmarks.servers import ADMIN_PASSWORD, ADMIN_USERNAME, Running, running
from benchmarks.table import OURS, PYPISERVER, Row, interleaved
from pytest_cloudrepo.client import Server

_COMPARED = (OURS, PYPISERVER)
_SMALL_BYTES = 10_000
_SMALL_FILES = 200
_PROJECTS = 20
_CONNECTIONS = 8
_LARGE_BYTES = 200 << 20
_LARGE_CHUNK = 1 << 20
_LARGE_ROUNDS = 5
_SAMPLE_SECONDS = 0.002
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """A server's upload address, with its login."""

    server: Running
    path: str
    headers: dict[str, str]

    def connect(self) -> http.client.HTTPConnection:
        """A connection to it."""
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)

    def upload(self, connection: http.client.HTTPConnection, form: bytes | Path) -> None:
        """Send a form, and see that it is taken."""
        size = form.stat().st_size if isinstance(form, Path) else len(form)
        headers = {**self.headers, "Content-Type": CONTENT_TYPE, "Content-Length": str(size)}
        with contextlib.ExitStack() as stack:
            body = stack.enter_context(form.open("rb")) if isinstance(form, Path) else form
            connection.request("POST", self.path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{self.server.name}: {answer.status} {answer.reason}: {said!r}")


def small_uploads(folder: Path, rounds: int) -> list[Row]:
    """Upload new files of 10 kB, over one connection and over several."""
    payload = os.urandom(_SMALL_BYTES)
    numbers = count()

    def forms() -> list[bytes]:
        batch = next(numbers)
        return [
            small_form(Release(f"small{batch}x{file % _PROJECTS}", f"1.{file}"), payload)
            for file in range(_SMALL_FILES)
        ]

    rows = []
    with _targets(folder) as targets:
        for connections in (1, _CONNECTIONS):
            measures = {
                name: partial(_rate, target, forms, connections) for name, target in targets.items()
            }
            taken = interleaved(measures, rounds)
            plural = "" if connections == 1 else "s"
            figure = f"uploads of 10 kB, {connections} connection{plural}"
            rows.append(Row(figure, "/s", taken))
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

    with _targets(folder) as targets:
        measures = {name: partial(send, target) for name, target in targets.items()}
        taken = interleaved(measures, _LARGE_ROUNDS, warm_up=0)
    return [
        Row("upload of 200 MB", "MiB/s", taken),
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


@contextlib.contextmanager
def _targets(folder: Path) -> Iterator[dict[str, Target]]:
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(running(name, folder / name)) for name in _COMPARED}
        admin = Server(servers[OURS].url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder)
        repository = admin.create_repository("benchmark")
        admin.close()
        pair = f"{repository.username}:{repository.password}".encode()
        login = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        yield {
            OURS: Target(servers[OURS], "/repositories/benchmark", login),
            PYPISERVER: Target(servers[PYPISERVER], "/", {}),
        }
