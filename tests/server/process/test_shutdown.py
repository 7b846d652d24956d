"""A server that is told to end: what it finishes, what it refuses, and what it cuts."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.raw import Connection, connect, exchange, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")

# Half of it is more than the first part, which is the first that the store sees.
LARGE = wheel(padding=12 << 20)


def begin_upload(connection: Connection, index: Index, folder: Path) -> bytes:
    """Send half of an upload; what is left of it."""
    form = encode(fields(LARGE))
    headers = {**index.authorization, "Content-Type": form.content_type}
    whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
    half = len(whole) // 2
    connection.send(whole[:half])
    # It is in the server's hands when it is stored in part.
    wait_until(lambda: staged(folder) != [], "the first part of the upload")
    return whole[half:]


def staged(folder: Path) -> list[Path]:
    return [path for path in folder.glob("**/blobs/**/*") if path.is_file()]


def listens(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except ConnectionError:
        return False
    return True


def test_an_upload_in_flight_is_finished(start_server: StartServer, tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = start_server("--data", data, name="first")
    server = Server(process)
    index = server.repository("demo")
    with connect(server.url) as idle, connect(server.url) as busy:
        idle.send(request("GET /readyz HTTP/1.1"))
        assert idle.read_response().status == 200
        rest = begin_upload(busy, index, tmp_path)

        process.process.send_signal(signal.SIGTERM)

        assert idle.closed_by_server()
        wait_until(lambda: not listens(server.url), "the server to stop listening")
        busy.send(rest)
        answer = busy.read_response()
        assert answer.status == 200, answer
        assert answer.headers["Connection"] == "close"
    assert process.wait() == 0
    assert "aborted" not in process.log
    server.close()
    again = Server(start_server("--data", data, name="second"))
    kept = Index(again, index.name, index.username, index.password)
    assert kept.get(f"/demo/{LARGE.filename}").content == LARGE.data
    again.close()


def test_a_second_signal_ends_it_at_once(start_server: StartServer, tmp_path: Path) -> None:
    process = start_server("--grace", "3600", "--data", tmp_path / "data")
    server = Server(process)
    index = server.repository()
    with connect(server.url) as busy:
        begin_upload(busy, index, tmp_path)
        process.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(server.url), "the server to stop listening")
        assert process.process.poll() is None
        process.process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert "1 requests in flight were aborted" in process.log
    assert "Traceback" not in process.log
    assert staged(tmp_path) == []
    server.close()


def test_what_is_in_flight_has_so_long_and_no_longer(
    start_server: StartServer, tmp_path: Path
) -> None:
    process = start_server("--grace", "0.2")
    server = Server(process)
    with connect(server.url) as busy:
        begin_upload(busy, server.repository(), tmp_path)
        process.process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert "1 requests in flight were aborted" in process.log
    server.close()


def test_a_load_balancer_is_told_before_it_stops_listening(start_server: StartServer) -> None:
    process = start_server("--drain", "3600")
    server = Server(process)
    index = server.repository()
    process.process.send_signal(signal.SIGTERM)
    ask = request("GET /readyz HTTP/1.1")
    wait_until(lambda: exchange(server.url, ask).status == 503, "/readyz to be refused")
    answer = exchange(server.url, ask)
    assert answer.reason == "The server is stopping."
    assert answer.headers["Connection"] == "close"
    assert exchange(server.url, request("GET /healthz HTTP/1.1")).status == 200
    # Whoever was not told yet is served, and asked to connect elsewhere next time.
    assert index.upload(wheel()).status_code == 200
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    server.close()


def test_nobody_is_turned_away_at_the_door(start_server: StartServer) -> None:
    process = start_server()
    url = process.state()["url"]
    # As if it was busy for a moment: the system lets in whom the server has not seen yet.
    process.process.send_signal(signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(connect(url)) for _ in range(50)]
        for connection in waiting:
            connection.send(request("GET /healthz HTTP/1.1"))
        process.process.send_signal(signal.SIGTERM)
        process.process.send_signal(signal.SIGCONT)
        answers = [connection.read_response() for connection in waiting]
    assert {answer.status for answer in answers} == {200}
    assert process.wait() == 0
