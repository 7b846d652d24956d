"""Starts and stops the servers that are compared."""

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
# How long a look for the first answer waits before the next; it bounds what is added to a figure.
_POLL = 0.001

ADMIN_USERNAME, ADMIN_PASSWORD = "admin@example.com", "made-up-for-this-run"
# As it is where packages are installed: with bytecode, whatever this shell says.
INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
_ENVIRON = {
    **INSTALLED,
    "CLOUDREPO_ADMIN_USERNAME": ADMIN_USERNAME,
    "CLOUDREPO_ADMIN_PASSWORD": ADMIN_PASSWORD,
    # devpi-server imports a module that setuptools will drop, and says so.
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    name: str
    port: int
    process: psutil.Process
    seconds: float
    """From its spawn to its first answer."""
    folder: Path = field(repr=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def files(self) -> Path:
        """The folder that a server of static files, or pypiserver, serves."""
        return self.folder / "files"

    @property
    def memory(self) -> float:
        """The resident memory, in MiB, with that of the processes that it started."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(one.memory_info().rss for one in family) / (1 << 20)


@contextlib.contextmanager
def running(name: str, folder: Path, *, threads: bool = False) -> Iterator[Running]:
    """Start a server in a folder, new or used before, wait until it answers, and stop it at last.

    `threads` gives pypiserver a queue for several connections, for which it needs a server that
    it does not come with.
    """
    folder.mkdir(exist_ok=True)
    state = folder / "state.json"
    state.unlink(missing_ok=True)
    port = 0 if name in (OURS, BY_HAND) else _free_port()
    command = prepare(name, folder, port, state, threads=threads, environ=_ENVIRON)
    with open(folder / "log", "wb") as log:  # noqa: PTH123 (as a file for the process)
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parent.parent,
            env=_ENVIRON,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        port = _first_answer(process, folder, port, state)
        seconds = time.perf_counter() - began
        yield Running(name, port, psutil.Process(process.pid), seconds, folder)
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def _first_answer(process: subprocess.Popen[bytes], folder: Path, port: int, state: Path) -> int:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log = (folder / "log").read_text(errors="replace")
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}:\n{log}")
        with contextlib.suppress(OSError):
            port = port or urlsplit(json.loads(state.read_bytes())["url"]).port or 0
            _ask(port)
            return port
        time.sleep(_POLL)
    raise TimeoutError(f"{process.args!r} did not answer in {TIMEOUT} s")


def _ask(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        connection.getresponse().read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
