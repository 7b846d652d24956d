"""Measure response times while many other connections are open.

The table shows three response times of each kind: the median, the 99th percentile, the longest.
"""

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

_PAGE_REQUESTS = 500
_UPLOADS = 100
_MILLISECONDS = 1000.0


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument(
        "--idle", type=int, default=500, help="number of idle connections (default: %(default)s)"
    )
    parser.add_argument(
        "--half", type=int, default=200, help="number of half-sent uploads (default: %(default)s)"
    )
    arguments = parser.parse_args()
    print("| other connections | page, ms | upload, ms | memory, MiB |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, running(OURS, Path(folder) / "ours") as server:
        login = _create_repository(server)
        _measure("none", server, login)
        with ExitStack() as connections:
            for _ in range(arguments.idle):
                connections.enter_context(_connect(server))
            _measure(f"{arguments.idle} idle", server, login)
            for number in range(arguments.half):
                connections.enter_context(_connect(server)).sendall(_half_upload(number, login))
            _measure(f"{arguments.idle} idle, {arguments.half} half sent", server, login)
        _measure("none, after closing all", server, login)


def _create_repository(server: Running) -> str:
    admin = base64.b64encode(f"{ADMIN_USERNAME}:{ADMIN_PASSWORD}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    created = {}
    for path, body in (("repositories", {"name": "load"}), ("users", {"email": "a@example.com"})):
        headers = {"Authorization": f"Basic {admin}", "Content-Type": "application/json"}
        connection.request("POST", f"/api/{path}", json.dumps(body), headers)
        created = json.loads(connection.getresponse().read())
    connection.close()
    return base64.b64encode(f"{created['email']}:{created['passphrase']}".encode()).decode()


def _form(number: int) -> bytes:
    return small_form(Release("load", f"{number}.0"), os.urandom(10_000))


def _half_upload(number: int, login: str) -> bytes:
    form = small_form(Release("half", f"{number}.0"), os.urandom(100_000))
    head = (
        "POST /repositories/load HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Basic {login}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(form)}\r\n\r\n"
    )
    return head.encode() + form[: len(form) // 2]


def _connect(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), TIMEOUT)


def _measure(label: str, server: Running, login: str) -> None:
    headers = {"Authorization": f"Basic {login}"}
    uploads = [("POST", "", _form(time.monotonic_ns() + each)) for each in range(_UPLOADS)]
    upload_times = _times(server, uploads, {**headers, "Content-Type": CONTENT_TYPE})
    page_times = _times(server, [("GET", "/load/", b"")] * _PAGE_REQUESTS, headers)
    print(f"| {label} | {_summary(page_times)} | {_summary(upload_times)} | {server.memory:.0f} |")


def _times(
    server: Running, requests: list[tuple[str, str, bytes]], headers: dict[str, str]
) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    times = []
    for method, path, body in requests:
        start = time.perf_counter()
        connection.request(method, f"/repositories/load{path}", body or None, headers)
        response = connection.getresponse()
        response.read()
        times.append((time.perf_counter() - start) * _MILLISECONDS)
        if response.status != http.client.OK:
            raise RuntimeError(
                f"{method} /repositories/load{path} returned {response.status} {response.reason}"
            )
    connection.close()
    return times


def _summary(times: list[float]) -> str:
    percentiles = statistics.quantiles(times, n=100)
    return f"{statistics.median(times):.1f}, {percentiles[98]:.1f}, {max(times):.1f}"


if __name__ == "__main__":
    main()
