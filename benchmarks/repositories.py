"""A repository to read from: filled, and copied for a server of static files."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from benchmarks.forms import Release, large_form, small_form
from benchmarks.load import Loaded, load
from benchmarks.servers import Running, running
from benchmarks.table import NGINX, OURS
from benchmarks.targets import Target, targets

LARGE_MIB = 200
_SMALL_BYTES = 10_000
_WORKERS = 4
_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True)
class Filled:
    """Our server with a repository."""

    target: Target = field(repr=False)

    @property
    def server(self) -> Running:
        """The server."""
        return self.target.server

    def load(self, path: str, *, connections: int = 8) -> Loaded:
        """Keep it busy with one path below the repository."""
        url = self.server.url + self.target.path + path
        return load(url, self.target.headers, connections=connections)

    def get(self, path: str, accept: str = "text/html") -> requests.Response:
        """The answer to a GET below the repository."""
        url = self.server.url + self.target.path + path
        headers = {**self.target.headers, "Accept": accept, "Accept-Encoding": "identity"}
        answer = requests.get(url, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer

    def file_path(self, project: str) -> str:
        """The path below the repository of a project's first file."""
        path: str = self.get(f"/{project}/", _JSON).json()["files"][0]["url"]
        return path.partition(self.target.path)[2] or f"/{project}/{path}"

    def publish(self, project: str, releases: int, payload: bytes = b"") -> None:
        """Upload so many wheels of a project, which hold the payload."""
        with closing(self.target.connect()) as connection:
            for number in range(releases):
                form = small_form(Release(project, f"1.{number}"), payload)
                self.target.upload(connection, form)

    def publish_large(self, project: str, folder: Path) -> None:
        """Upload a wheel of 200 MB."""
        form = folder / "large"
        large_form(Release(project, "1.0"), form, os.urandom(1 << 20), LARGE_MIB)
        with closing(self.target.connect()) as connection:
            self.target.upload(connection, form)
        form.unlink()

    def crowd(self, projects: int, releases: int) -> None:
        """Upload so many projects with so many wheels each."""

        def publish(number: int) -> None:
            self.publish(f"crowd{number}", releases)

        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(publish, range(projects)))


@dataclass(frozen=True, slots=True)
class Static:
    """nginx with copies of what a repository serves."""

    server: Running

    def load(self, path: str, *, connections: int = 8) -> Loaded:
        """Keep it busy with one path."""
        return load(self.server.url + path, {}, connections=connections)

    def copy(self, repository: Filled, path: str) -> None:
        """Take what the repository has at that path."""
        at = self.server.files / path.strip("/")
        if path.endswith("/"):
            at /= "index.html"
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(repository.get(path).content)


@contextmanager
def filled(folder: Path) -> Iterator[Filled]:
    """Our server, with an empty repository."""
    folder.mkdir()
    with targets(folder, [OURS], threads=False) as found:
        yield Filled(found[OURS])


@contextmanager
def static(folder: Path) -> Iterator[Static]:
    """nginx, with nothing yet."""
    with running(NGINX, folder) as server:
        yield Static(server)


def small_payload() -> bytes:
    """What makes a wheel one of 10 kB."""
    return os.urandom(_SMALL_BYTES)
