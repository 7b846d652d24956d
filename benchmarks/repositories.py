"""The repository that the read benchmarks use, and its copy on a server of static files."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from benchmarks.forms import Release, large_form, small_form
from benchmarks.load import Throughput, load
from benchmarks.servers import Running, running
from benchmarks.table import NGINX, OURS
from benchmarks.targets import Target, targets

LARGE_MIB = 200
_SMALL_BYTES = 10_000
_WORKERS = 4
_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on a cloudrepo-server of its own."""

    target: Target = field(repr=False)

    @property
    def server(self) -> Running:
        """Return the server."""
        return self.target.server

    def load(self, path: str, *, connections: int = 8) -> Throughput:
        """Request one path below the repository repeatedly."""
        url = self.server.url + self.target.path + path
        return load(url, self.target.headers, connections=connections)

    def get(self, path: str, accept: str = "text/html") -> requests.Response:
        """Return the response to a GET request below the repository."""
        url = self.server.url + self.target.path + path
        headers = {**self.target.headers, "Accept": accept, "Accept-Encoding": "identity"}
        response = requests.get(url, headers=headers, timeout=60)
        response.raise_for_status()
        return response

    def file_path(self, project: str) -> str:
        """Return the path of a project's first file, below the repository."""
        path: str = self.get(f"/{project}/", _JSON).json()["files"][0]["url"]
        return path.partition(self.target.path)[2] or f"/{project}/{path}"

    def publish(self, project: str, releases: int, payload: bytes = b"") -> None:
        """Upload one wheel with this payload for each release of a project."""
        with closing(self.target.connect()) as connection:
            for number in range(releases):
                form = small_form(Release(project, f"1.{number}"), payload)
                self.target.upload(connection, form)

    def publish_large(self, project: str, folder: Path) -> None:
        """Upload a wheel of 200 MB."""
        form = folder / "form"
        large_form(Release(project, "1.0"), form, os.urandom(1 << 20), LARGE_MIB)
        with closing(self.target.connect()) as connection:
            self.target.upload(connection, form)
        form.unlink()

    def publish_many(self, projects: int, releases: int) -> None:
        """Upload many projects with several releases each."""

        def publish(number: int) -> None:
            self.publish(f"project{number}", releases)

        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(publish, range(projects)))


@dataclass(frozen=True, slots=True)
class StaticCopy:
    """An nginx that serves copies of a repository's pages and files."""

    server: Running

    def load(self, path: str, *, connections: int = 8) -> Throughput:
        """Request one path repeatedly."""
        return load(self.server.url + path, {}, connections=connections)

    def add(self, repository: Repository, path: str) -> None:
        """Copy the repository's response for this path."""
        file = self.server.files / path.strip("/")
        if path.endswith("/"):
            file /= "index.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(repository.get(path).content)


@contextmanager
def new_repository(folder: Path) -> Iterator[Repository]:
    """Start a cloudrepo-server with an empty repository."""
    folder.mkdir()
    with targets(folder, [OURS], threads=False) as started:
        yield Repository(started[OURS])


@contextmanager
def static_copy(folder: Path) -> Iterator[StaticCopy]:
    """Start an nginx without any files."""
    with running(NGINX, folder) as server:
        yield StaticCopy(server)


def small_payload() -> bytes:
    """Return random content for a wheel of 10 kB."""
    return os.urandom(_SMALL_BYTES)
