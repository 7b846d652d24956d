"""Graceful shutdown: which requests a stopping server finishes, rejects and aborts."""

from __future__ import annotations

import contextlib
import signal
import socket
from pathlib import Path

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.platforms import needs_posix
from tests.support.raw import Connection, connect, exchange, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

pytestmark = needs_posix("SIGTERM")

# Half of this file is more than the server keeps in memory, so that half an upload is stored.
LARGE = wheel(padding=12 << 20)


def begin_upload(connection: Connection, index: Index, folder: Path) -> bytes:
    """Send the first half of an upload, and return the second half."""
    form = encode(fields(LARGE))
    headers = {**index.authorization, "Content-Type": form.content_type}
    whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
    half = len(whole) // 2
    connection.send(whole[:half])
    wait_until(lambda: staged(folder) != [], "the first half of the upload to be stored")
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


def test_an_upload_in_flight_is_finished_before_the_server_stops(
    start_server: StartServer, tmp_path: Path
) -> None:
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
        response = busy.read_response()
        assert response.status == 200, response
        assert response.headers["Connection"] == "close"
    assert process.wait() == 0
    assert "aborted" not in process.log
    server.close()
    again = Server(start_server("--data", data, name="second"))
    kept = Index(again, index.name, index.username, index.password)
    assert kept.get(f"/demo/{LARGE.filename}").content == LARGE.data
    again.close()


def test_a_new_connection_may_send_its_first_request_during_the_shutdown(
    start_server: StartServer,
) -> None:
    process = start_server()
    url = process.state()["url"]
    with connect(url) as used, connect(url) as new:
        used.send(request("GET /healthz HTTP/1.1"))
        assert used.read_response().status == 200
        process.process.send_signal(signal.SIGTERM)
        assert used.closed_by_server()
        new.send(request("GET /healthz HTTP/1.1"))
        response = new.read_response()
    assert response.status == 200
    assert response.headers["Connection"] == "close"
    assert process.wait() == 0


def test_a_connection_without_a_request_is_closed_during_the_shutdown(
    start_server: StartServer,
) -> None:
    process = start_server("--grace", "3600")
    with connect(process.state()["url"]) as new:
        process.process.send_signal(signal.SIGTERM)
        assert new.closed_by_server()
    assert process.wait() == 0


def test_a_second_signal_stops_the_server_at_once(
    start_server: StartServer, tmp_path: Path
) -> None:
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
    assert "requests in flight that were aborted: 1" in process.log
    assert "Traceback" not in process.log
    assert staged(tmp_path) == []
    server.close()


def test_requests_that_exceed_the_grace_period_are_aborted(
    start_server: StartServer, tmp_path: Path
) -> None:
    process = start_server("--grace", "0.2")
    server = Server(process)
    with connect(server.url) as busy:
        begin_upload(busy, server.repository(), tmp_path)
        process.process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert "requests in flight that were aborted: 1" in process.log
    server.close()


def test_readyz_returns_503_during_the_drain_period(start_server: StartServer) -> None:
    process = start_server("--drain", "3600")
    server = Server(process)
    index = server.repository()
    process.process.send_signal(signal.SIGTERM)
    ready = request("GET /readyz HTTP/1.1")
    wait_until(lambda: exchange(server.url, ready).status == 503, "/readyz to return 503")
    response = exchange(server.url, ready)
    assert response.reason == "The server is stopping."
    assert response.headers["Connection"] == "close"
    assert exchange(server.url, request("GET /healthz HTTP/1.1")).status == 200
    # The server still serves a client that has not noticed.
    assert index.upload(wheel()).status_code == 200
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    server.close()


def test_connections_in_the_accept_backlog_are_served(start_server: StartServer) -> None:
    process = start_server()
    url = process.state()["url"]
    # While the server is suspended, the system accepts connections into the backlog.
    process.process.send_signal(signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(connect(url)) for _ in range(50)]
        for connection in waiting:
            connection.send(request("GET /healthz HTTP/1.1"))
        process.process.send_signal(signal.SIGTERM)
        process.process.send_signal(signal.SIGCONT)
        responses = [connection.read_response() for connection in waiting]
    assert {response.status for response in responses} == {200}
    assert process.wait() == 0
