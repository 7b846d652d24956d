"""How long an answer takes while many others are connected: `python -m benchmarks.waiting`."""

import argparse
import base64
import http.client
import json
import os
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.forms import CONTENT_TYPE, Release, small_form
from benchmarks.servers import ADMIN_PASSWORD, ADMIN_USERNAME, TIMEOUT, Running, running
from benchmarks.table import OURS

_ASKED = 500
_UPLOADED = 100
_MILLISECONDS = 1000.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=500, help="connections that ask for nothing")
    parser.add_argument("--half", type=int, default=200, help="uploads that are not sent whole")
    given = parser.parse_args()
    print("| meanwhile | page, ms: median, 99th, worst | upload, ms: likewise | memory, MiB |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, running(OURS, Path(folder) / "ours") as server:
        login = _prepare(server)
        _tell("nobody", server, login)
        with ExitStack() as open_:
            for _ in range(given.idle):
                open_.enter_context(_connected(server))
            _tell(f"{given.idle} idle", server, login)
            for number in range(given.half):
                open_.enter_context(_connected(server)).sendall(_half(number, login))
            _tell(f"{given.idle} idle, {given.half} half sent", server, login)
        _tell("nobody any more", server, login)


def _prepare(server: Running) -> str:
    admin = base64.b64encode(f"{ADMIN_USERNAME}:{ADMIN_PASSWORD}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    made = {}
    for path, body in (("repositories", {"name": "load"}), ("users", {"email": "a@example.com"})):
        connection.request(
            "POST", f"/api/{path}", json.dumps(body), {"Authorization": f"Basic {admin}"}
        )
        made = json.loads(connection.getresponse().read())
    connection.close()
    return base64.b64encode(f"{made['email']}:{made['passphrase']}".encode()).decode()


def _form(number: int) -> bytes:
    return small_form(Release("load", f"{number}.0"), os.urandom(10_000))


def _half(number: int, login: str) -> bytes:
    form = small_form(Release("half", f"{number}.0"), os.urandom(100_000))
    head = (
        "POST /repositories/load HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Basic {login}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(form)}\r\n\r\n"
    )
    return head.encode() + form[: len(form) // 2]


def _connected(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), TIMEOUT)


def _tell(what: str, server: Running, login: str) -> None:
    headers = {"Authorization": f"Basic {login}"}
    uploads = [("POST", "", _form(time.monotonic_ns() + each)) for each in range(_UPLOADED)]
    uploading = _times(server, uploads, {**headers, "Content-Type": CONTENT_TYPE})
    reading = _times(server, [("GET", "/load/", b"")] * _ASKED, headers)
    print(f"| {what} | {_shown(reading)} | {_shown(uploading)} | {server.memory:.0f} |")


def _times(
    server: Running, requests: list[tuple[str, str, bytes]], headers: dict[str, str]
) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    times = []
    for method, below, body in requests:
        began = time.perf_counter()
        connection.request(method, f"/repositories/load{below}", body or None, headers)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - began) * _MILLISECONDS)
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {below} was answered {answer.status} {answer.reason}")
    connection.close()
    return times


def _shown(times: list[float]) -> str:
    percentiles = statistics.quantiles(times, n=100)
    return f"{statistics.median(times):.1f}, {percentiles[98]:.1f}, {max(times):.1f}"


if __name__ == "__main__":
    main()
