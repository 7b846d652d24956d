"""The upload URL and the credentials of each server that accepts uploads."""

import base64
import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.forms import CONTENT_TYPE
from benchmarks.servers import ADMIN_PASSWORD, ADMIN_USERNAME, Running, running
from benchmarks.table import BY_HAND, DEVPI, OURS, PYPISERVER
from pytest_cloudrepo.client import Server

_SUCCESS = (200, 201)


@dataclass(frozen=True, slots=True)
class Target:
    """A server's upload URL, with the headers that carry the credentials."""

    server: Running
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection to the server."""
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)

    def upload(self, connection: http.client.HTTPConnection, form: bytes | Path) -> None:
        """Upload a form.

        Raises:
            RuntimeError: The server rejects the upload.
        """
        size = form.stat().st_size if isinstance(form, Path) else len(form)
        headers = {**self.headers, "Content-Type": CONTENT_TYPE, "Content-Length": str(size)}
        with contextlib.ExitStack() as stack:
            body = stack.enter_context(form.open("rb")) if isinstance(form, Path) else form
            connection.request("POST", self.path, body, headers)
            response = connection.getresponse()
            text = response.read()
        if response.status not in _SUCCESS:
            raise RuntimeError(
                f"{self.server.name} rejected an upload:"
                f" {response.status} {response.reason}: {text!r}"
            )


class Devpi:
    """A client for the part of devpi-server's API that creates indexes."""

    def __init__(self, server: Running) -> None:
        self._server = server

    def create_index(self, user: str) -> tuple[str, dict[str, str]]:
        """Create a user with an index; return the index's path and the headers to log in with."""
        password = "made-up-for-benchmarks"  # noqa: S105 (of a temporary server)
        self._request("PUT", f"/{user}", {"password": password})
        login = self._request("POST", "/+login", {"user": user, "password": password})
        token = _base64(f"{user}:{login['result']['password']}")
        index = {"type": "stage", "bases": [], "volatile": True}
        self._request("PUT", f"/{user}/index", index, {"X-Devpi-Auth": token})
        return f"/{user}/index/", {"Authorization": f"Basic {_base64(f'{user}:{password}')}"}

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=60)
        with contextlib.closing(connection):
            json_headers = {"Content-Type": "application/json", "Accept": "application/json"}
            connection.request(method, path, json.dumps(body), {**json_headers, **(headers or {})})
            response = connection.getresponse()
            text = response.read()
        if response.status not in _SUCCESS:
            raise RuntimeError(
                f"devpi-server rejected {method} {path}:"
                f" {response.status} {response.reason}: {text!r}"
            )
        decoded: dict[str, dict[str, str]] = json.loads(text)
        return decoded


@contextlib.contextmanager
def targets(folder: Path, names: Sequence[str], *, threads: bool) -> Iterator[dict[str, Target]]:
    """Start the servers with these names, each with an empty index."""
    with contextlib.ExitStack() as stack:
        started = {}
        for name in names:
            server = stack.enter_context(running(name, folder / name, threads=threads))
            started[name] = _target(server, folder)
        yield started


def _target(server: Running, folder: Path) -> Target:
    if server.name == OURS:
        admin = Server(server.url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder)
        repository = admin.create_repository("benchmark")
        admin.close()
        credentials = _base64(f"{repository.username}:{repository.password}")
        return Target(server, "/repositories/benchmark", {"Authorization": f"Basic {credentials}"})
    if server.name == DEVPI:
        return Target(server, *Devpi(server).create_index("benchmark"))
    if server.name in (PYPISERVER, BY_HAND):
        return Target(server, "/")
    raise ValueError(f"{server.name} accepts no uploads")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
