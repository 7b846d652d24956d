"""Starting and stopping the compared servers."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.commands import prepare
from benchmarks.table import BY_HAND, OURS

TIMEOUT = 60.0
# The pause between two checks for the first response: the largest error of a start time.
_POLL_SECONDS = 0.001

ADMIN_USERNAME, ADMIN_PASSWORD = "admin@example.com", "made-up-for-benchmarks"
# With bytecode files, as in an ordinary installation, even if this shell disables them.
INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
_ENVIRON = {
    **INSTALLED,
    "CLOUDREPO_ADMIN_USERNAME": ADMIN_USERNAME,
    "CLOUDREPO_ADMIN_PASSWORD": ADMIN_PASSWORD,
    # devpi-server imports a deprecated module of setuptools, which prints a warning.
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts requests."""

    name: str
    port: int
    process: psutil.Process
    startup_seconds: float
    """The time from the start of the process to the first response."""
    folder: Path = field(repr=False)

    @property
    def url(self) -> str:
        """Return the server's URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def files(self) -> Path:
        """Return the folder that pypiserver or a server of static files serves."""
        return self.folder / "files"

    @property
    def memory(self) -> float:
        """Return the resident memory of the process and its child processes, in MiB."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(each.memory_info().rss for each in processes) / (1 << 20)


@contextlib.contextmanager
def running(name: str, folder: Path, *, threads: bool = False) -> Iterator[Running]:
    """Start a server in a new or existing folder, wait for its first response, and stop it.

    Args:
        name: The server's name in the table.
        folder: Where the server keeps its files and its log.
        threads: Run pypiserver under gunicorn, which serves several connections at once.
    """
    folder.mkdir(exist_ok=True)
    state = folder / "state.json"
    state.unlink(missing_ok=True)
    port = 0 if name in (OURS, BY_HAND) else _free_port()
    command = prepare(name, folder, port, state, threads=threads, environ=_ENVIRON)
    with open(folder / "log", "wb") as log:  # noqa: PTH123 (Popen needs a file object)
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parent.parent,
            env=_ENVIRON,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        port = _wait_for_response(process, folder, port, state)
        startup_seconds = time.perf_counter() - start
        yield Running(name, port, psutil.Process(process.pid), startup_seconds, folder)
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def _wait_for_response(
    process: subprocess.Popen[bytes], folder: Path, port: int, state: Path
) -> int:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log = (folder / "log").read_text(errors="replace")
            raise RuntimeError(f"{process.args!r} exited with status {process.returncode}:\n{log}")
        with contextlib.suppress(OSError):
            port = port or urlsplit(json.loads(state.read_bytes())["url"]).port or 0
            _request(port)
            return port
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"{process.args!r} sent no response within {TIMEOUT} s")


def _request(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        connection.getresponse().read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
