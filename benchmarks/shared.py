"""Measure servers that share one store, and print two tables: `python -m benchmarks.shared`."""

import argparse
import asyncio
import base64
import contextlib
import http.client
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import msgspec

from benchmarks.forms import CONTENT_TYPE, Release, small_form
from cloudrepo_server.keys import project_key
from cloudrepo_server.models import ProjectDocument, RepositoryDocument
from cloudrepo_server.storage.connect import open_shared
from tests.support.index import Server
from tests.support.object_stores.engines import ENGINES, Engine, run_engine
from tests.support.process import ServerProcess

_SERVER_COUNTS = (1, 2, 4)
_CLIENTS = 16
_SECONDS = 4.0
_FILE_BYTES = 10_000
_PROJECTS = 40
_FILE_COUNTS = (10, 100, 1_000, 10_000)
_REPETITIONS = 11
_OK = 200

_numbers = count()


@dataclass(frozen=True, slots=True)
class Index:
    """A repository, and the ports of the servers that share it."""

    url: str
    path: str
    authorization: str
    ports: Sequence[int]

    def request(
        self, connection: http.client.HTTPConnection, path: str, form: bytes | None
    ) -> None:
        """Read a page, or upload a form.

        Raises:
            RuntimeError: the request was rejected.
        """
        headers = {"Authorization": self.authorization, "Accept-Encoding": "gzip"}
        if form is not None:
            headers["Content-Type"] = CONTENT_TYPE
        connection.request("GET" if form is None else "POST", self.path + path, form, headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != _OK:
            raise RuntimeError(f"{path}: unexpected response {response.status}: {body[:200]!r}")

    def connect(self, number: int) -> http.client.HTTPConnection:
        """Return a new connection; the numbers spread connections over the servers."""
        return http.client.HTTPConnection("127.0.0.1", self.ports[number % len(self.ports)])


def main() -> None:
    """Measure with the object store that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared", description=__doc__)
    parser.add_argument(
        "--only", choices=["servers", "files"], help="print only one of the two tables"
    )
    parser.add_argument(
        "engine",
        nargs="?",
        default="ministack",
        help=f"the object store: one of {', '.join(ENGINES)}",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloudrepo-benchmark-") as folder:
        data = Path(folder)
        (data / "store").mkdir()
        with run_engine(arguments.engine, data / "store") as engine:
            print(f"{arguments.engine}, on {os.cpu_count()} cores, which the clients share.\n")
            for name, table in (("servers", _by_servers), ("files", _by_files)):
                if arguments.only in (None, name):
                    print(table(engine, data) + "\n")


def _by_servers(engine: Engine, folder: Path) -> str:
    lines = [
        "| servers | uploads of 10 kB | pages of 10 files |",
        "|--:|--:|--:|",
    ]
    for servers in _SERVER_COUNTS:
        print(f"{servers} servers ...", file=sys.stderr)
        with _run_servers(engine, folder / str(servers), servers) as index:
            uploads = _requests_per_second(index, _upload)
            pages = _requests_per_second(
                index, lambda index, connection: index.request(connection, "/small0/", None)
            )
        lines.append(f"| {servers} | {uploads:,.0f} /s | {pages:,.0f} /s |")
    return "\n".join(lines)


def _by_files(engine: Engine, folder: Path) -> str:
    lines = [
        "| files in the project | upload to it | page after the upload | page without a change |",
        "|--:|--:|--:|--:|",
    ]
    with _run_servers(engine, folder / "files", 1) as index:
        connection = index.connect(0)
        for files in _FILE_COUNTS:
            print(f"{files} files ...", file=sys.stderr)
            name = f"project{files}"
            index.request(connection, "", _form(name, "1.0"))
            asyncio.run(_add_files(engine, index, name, files))
            upload: list[float] = []
            changed_page: list[float] = []
            unchanged_page: list[float] = []
            for _ in range(_REPETITIONS):
                form = _form(name, f"2.{next(_numbers)}")
                upload.append(_milliseconds(partial(index.request, connection, "", form)))
                for durations in (changed_page, unchanged_page):
                    durations.append(
                        _milliseconds(partial(index.request, connection, f"/{name}/", None))
                    )
            cells = " | ".join(
                f"{median(durations):,.1f} ms"
                for durations in (upload, changed_page, unchanged_page)
            )
            lines.append(f"| {files:,} | {cells} |")
    return "\n".join(lines)


@contextlib.contextmanager
def _run_servers(engine: Engine, folder: Path, number: int) -> Iterator[Index]:
    url = engine.new_url()
    servers = [
        Server(ServerProcess(folder / str(each), "--data", url, environ=engine.environ()))
        for each in range(number)
    ]
    try:
        name = "benchmark"
        servers[0].api_json("POST", "/repositories", {"name": name})
        user: dict[str, Any] = servers[0].api_json(
            "POST", "/users", {"email": "somebody@example.com"}
        )
        login = base64.b64encode(f"{user['email']}:{user['passphrase']}".encode()).decode()
        ports = [urlsplit(server.url).port or 0 for server in servers]
        index = Index(url, f"/repositories/{name}", f"Basic {login}", ports)
        for file in range(10):
            index.request(index.connect(0), "", _form("small0", f"0.{file}"))
        yield index
    finally:
        for server in servers:
            server.close()
            server.process.stop()


def _requests_per_second(
    index: Index, send: Callable[[Index, http.client.HTTPConnection], None]
) -> float:
    end = time.perf_counter() + _SECONDS

    def repeat(number: int) -> int:
        connection, done = index.connect(number), 0
        while time.perf_counter() < end:
            send(index, connection)
            done += 1
        return done

    with ThreadPoolExecutor(_CLIENTS) as pool:
        return sum(pool.map(repeat, range(_CLIENTS))) / _SECONDS


def _upload(index: Index, connection: http.client.HTTPConnection) -> None:
    number = next(_numbers)
    index.request(connection, "", _form(f"small{number % _PROJECTS}", f"1.{number}"))


async def _add_files(engine: Engine, index: Index, name: str, files: int) -> None:
    # Uploading thousands of files takes long, so this changes the project's document directly.
    os.environ.update(engine.environ())
    storage = await open_shared(index.url)
    (repository,) = await storage.read_all("repositories/", RepositoryDocument)

    def add_files(project: ProjectDocument | None) -> ProjectDocument:
        if project is None:
            raise RuntimeError(f"project {name} not found")
        (existing,) = project.files.values()
        more = {
            filename: msgspec.structs.replace(
                existing, filename=filename, version=f"1.{number}", sha256=os.urandom(32).hex()
            )
            for number in range(1, files)
            for filename in [Release(name, f"1.{number}").filename]
        }
        return msgspec.structs.replace(project, files={**project.files, **more})

    await storage.change(project_key(repository.id, name), ProjectDocument, add_files)
    await storage.close()


def _form(name: str, version: str) -> bytes:
    return small_form(Release(name, version), os.urandom(_FILE_BYTES))


def _milliseconds(act: Callable[[], None]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
