"""Where files are uploaded to, on each of the servers that take them."""

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
    """A server's upload address, with its login."""

    server: Running
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

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
        if answer.status not in _SUCCESS:
            raise RuntimeError(f"{self.server.name}: {answer.status} {answer.reason}: {said!r}")


class Devpi:
    """devpi-server's API, as far as it makes indexes."""

    def __init__(self, server: Running) -> None:
        self._server = server

    def make_index(self, user: str) -> tuple[str, dict[str, str]]:
        """Make a user and an index of his own; the answer is its path, and his login."""
        password = "made-up-for-this-run"  # noqa: S105 (for this run)
        self._ask("PUT", f"/{user}", {"password": password})
        answer = self._ask("POST", "/+login", {"user": user, "password": password})
        token = _encoded(f"{user}:{answer['result']['password']}")
        index = {"type": "stage", "bases": [], "volatile": True}
        self._ask("PUT", f"/{user}/index", index, {"X-Devpi-Auth": token})
        return f"/{user}/index/", {"Authorization": f"Basic {_encoded(f'{user}:{password}')}"}

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=60)
        with contextlib.closing(connection):
            accepted = {"Content-Type": "application/json", "Accept": "application/json"}
            connection.request(method, path, json.dumps(body), {**accepted, **(headers or {})})
            answer = connection.getresponse()
            said = answer.read()
        if answer.status not in _SUCCESS:
            raise RuntimeError(f"devpi-server: {answer.status} {answer.reason}: {said!r}")
        read: dict[str, dict[str, str]] = json.loads(said)
        return read


@contextlib.contextmanager
def targets(folder: Path, names: Sequence[str], *, threads: bool) -> Iterator[dict[str, Target]]:
    """Start those servers; each has an empty index."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name in names:
            server = stack.enter_context(running(name, folder / name, threads=threads))
            found[name] = _target(server, folder)
        yield found


def _target(server: Running, folder: Path) -> Target:
    if server.name == OURS:
        admin = Server(server.url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder)
        repository = admin.create_repository("benchmark")
        admin.close()
        pair = _encoded(f"{repository.username}:{repository.password}")
        return Target(server, "/repositories/benchmark", {"Authorization": f"Basic {pair}"})
    if server.name == DEVPI:
        return Target(server, *Devpi(server).make_index("benchmark"))
    if server.name in (PYPISERVER, BY_HAND):
        return Target(server, "/")
    raise ValueError(f"{server.name} takes no uploads")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
