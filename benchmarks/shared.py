"""`python -m benchmarks.shared` measures servers that share one store, and prints two tables."""

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

_SERVERS = (1, 2, 4)
_CONNECTIONS = 16
_SECONDS = 4.0
_BYTES = 10_000
_PROJECTS = 40
_FILES = (10, 100, 1_000, 10_000)
_TIMES = 11
_OK = 200

_numbers = count()


@dataclass(frozen=True, slots=True)
class Index:
    """A repository, and the servers that all have it."""

    url: str
    path: str
    authorization: str
    ports: Sequence[int]

    def ask(self, connection: http.client.HTTPConnection, below: str, form: bytes | None) -> None:
        """Get a page, or upload."""
        headers = {"Authorization": self.authorization, "Accept-Encoding": "gzip"}
        if form is not None:
            headers["Content-Type"] = CONTENT_TYPE
        connection.request("GET" if form is None else "POST", self.path + below, form, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != _OK:
            raise RuntimeError(f"{below} was answered {answer.status}: {said[:200]!r}")

    def connect(self, number: int) -> http.client.HTTPConnection:
        """A connection to one of the servers, another for each number."""
        return http.client.HTTPConnection("127.0.0.1", self.ports[number % len(self.ports)])


def main() -> None:
    """Measure over the store that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared", description=__doc__)
    parser.add_argument("--only", choices=["servers", "files"], help="one of the two tables")
    parser.add_argument("engine", nargs="?", default="ministack", help=f"of {', '.join(ENGINES)}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cloudrepo-benchmark-") as folder:
        at = Path(folder)
        (at / "store").mkdir()
        with run_engine(given.engine, at / "store") as engine:
            print(f"Over {given.engine}, {os.cpu_count()} cores, with its clients.\n")
            for name, table in (("servers", _by_servers), ("files", _by_files)):
                if given.only in (None, name):
                    print(table(engine, at) + "\n")


def _by_servers(engine: Engine, folder: Path) -> str:
    lines = [
        "| servers | uploads of 10 kB | pages of 10 files |",
        "|--:|--:|--:|",
    ]
    for servers in _SERVERS:
        print(f"{servers} servers ...", file=sys.stderr)
        with _serving(engine, folder / str(servers), servers) as index:
            uploads = _rate(index, _upload)
            pages = _rate(index, lambda index, connection: index.ask(connection, "/small0/", None))
        lines.append(f"| {servers} | {uploads:,.0f} /s | {pages:,.0f} /s |")
    return "\n".join(lines)


def _by_files(engine: Engine, folder: Path) -> str:
    lines = [
        "| files in the project | upload to it | its page, changed | its page, the same |",
        "|--:|--:|--:|--:|",
    ]
    with _serving(engine, folder / "files", 1) as index:
        connection = index.connect(0)
        for files in _FILES:
            print(f"{files} files ...", file=sys.stderr)
            name = f"grows{files}"
            index.ask(connection, "", _form(name, "1.0"))
            asyncio.run(_fill(engine, index, name, files))
            changed: list[float] = []
            same: list[float] = []
            upload: list[float] = []
            for _ in range(_TIMES):
                form = _form(name, f"2.{next(_numbers)}")
                upload.append(_milliseconds(lambda: index.ask(connection, "", form)))  # noqa: B023 (called at once)
                for taken in (changed, same):
                    taken.append(_milliseconds(lambda: index.ask(connection, f"/{name}/", None)))  # noqa: B023 (called at once)
            cells = " | ".join(f"{median(taken):,.1f} ms" for taken in (upload, changed, same))
            lines.append(f"| {files:,} | {cells} |")
    return "\n".join(lines)


@contextlib.contextmanager
def _serving(engine: Engine, folder: Path, number: int) -> Iterator[Index]:
    url = engine.new_url()
    servers = [
        Server(ServerProcess(folder / str(each), "--data", url, environ=engine.environ()))
        for each in range(number)
    ]
    try:
        name = "measured"
        servers[0].done("POST", "/repositories", {"name": name})
        made: dict[str, Any] = servers[0].done("POST", "/users", {"email": "somebody@example.com"})
        login = base64.b64encode(f"{made['email']}:{made['passphrase']}".encode()).decode()
        ports = [urlsplit(server.url).port or 0 for server in servers]
        index = Index(url, f"/repositories/{name}", f"Basic {login}", ports)
        for file in range(10):
            index.ask(index.connect(0), "", _form("small0", f"0.{file}"))
        yield index
    finally:
        for server in servers:
            server.close()
            server.process.stop()


def _rate(index: Index, act: Callable[[Index, http.client.HTTPConnection], None]) -> float:
    end = time.perf_counter() + _SECONDS

    def go_on(number: int) -> int:
        connection, done = index.connect(number), 0
        while time.perf_counter() < end:
            act(index, connection)
            done += 1
        return done

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        return sum(pool.map(go_on, range(_CONNECTIONS))) / _SECONDS


def _upload(index: Index, connection: http.client.HTTPConnection) -> None:
    number = next(_numbers)
    index.ask(connection, "", _form(f"small{number % _PROJECTS}", f"1.{number}"))


async def _fill(engine: Engine, index: Index, name: str, files: int) -> None:
    # By itself each takes a while, and what is measured comes after.
    os.environ.update(engine.environ())
    storage = await open_shared(index.url)
    (repository,) = await storage.read_all("repositories/", RepositoryDocument)

    def fill(project: ProjectDocument | None) -> ProjectDocument:
        if project is None:
            raise RuntimeError(f"the project {name} is not there")
        (known,) = project.files.values()
        more = {
            filename: msgspec.structs.replace(
                known, filename=filename, version=f"1.{number}", sha256=os.urandom(32).hex()
            )
            for number in range(1, files)
            for filename in [Release(name, f"1.{number}").filename]
        }
        return msgspec.structs.replace(project, files={**project.files, **more})

    await storage.change(project_key(repository.id, name), ProjectDocument, fill)
    await storage.close()


def _form(name: str, version: str) -> bytes:
    return small_form(Release(name, version), os.urandom(_BYTES))


def _milliseconds(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
