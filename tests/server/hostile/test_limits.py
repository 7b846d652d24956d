"""The limits of requests, each with its option; clients that make no progress are disconnected."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloudrepo_server.limits import MAX_HEADERS
from tests.support.archives import Archive, core_metadata, sdist, wheel
from tests.support.forms import encode, fields
from tests.support.hostile import head
from tests.support.index import Index, Server
from tests.support.raw import basic, connect, exchange, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

KIBIBYTE = 1 << 10


def started(start_server: StartServer, *arguments: str) -> Index:
    return Server(start_server(*arguments)).repository()


def large_metadata(size: int) -> bytes:
    return core_metadata("demo", "1.0", metadata_version="2.2") + b"\n" + b"x" * size


@pytest.mark.parametrize("endpoint", ["upload", "put"])
def test_the_size_of_a_file_is_limited(start_server: StartServer, endpoint: str) -> None:
    index = started(start_server, "--max-file-bytes", str(10 * KIBIBYTE))

    def send(archive: Archive) -> tuple[int, str]:
        if endpoint == "upload":
            response = index.upload(archive)
        else:
            path = f"/api/repositories/{index.name}/files/{archive.filename}"
            response = index.server.request("PUT", path, data=archive.data, auth=index.server.admin)
        return response.status_code, response.reason

    assert send(wheel(padding=8 * KIBIBYTE))[0] == 200
    status, reason = send(wheel("big", padding=12 * KIBIBYTE))
    assert (status, "10240 bytes" in reason) == (413, True)
    # The limit of a repository applies if it is lower.
    index.set(max_file_size=KIBIBYTE)
    assert send(wheel("lesser", padding=2 * KIBIBYTE))[0] == 413
    index.set(max_file_size=1 << 30)
    assert send(wheel("big", padding=12 * KIBIBYTE))[0] == 413


@pytest.mark.parametrize("kind", ["wheel", ".tar.gz", ".zip"])
def test_the_size_of_core_metadata_is_limited(start_server: StartServer, kind: str) -> None:
    index = started(start_server, "--max-metadata-bytes", str(20 * KIBIBYTE))
    for size, status in ((10 * KIBIBYTE, 200), (30 * KIBIBYTE, 400)):
        metadata = large_metadata(size)
        if kind == "wheel":
            archive = wheel(metadata=metadata)
        else:
            archive = sdist(ending=kind, metadata=metadata)
        response = index.upload(archive)
        assert response.status_code == status, response.reason
        assert status == 200 or "20480 bytes" in response.reason


def test_the_fields_of_a_form_are_limited(start_server: StartServer) -> None:
    index = started(start_server, "--max-form-fields", "30", "--max-form-bytes", str(10 * KIBIBYTE))
    few = [("classifiers", "x")] * 10
    assert index.post([*few, *fields(wheel())]).status_code == 200
    many = index.post([*few * 3, *fields(wheel())])
    assert many.status_code == 400
    long = index.post([("description", "x" * 11 * KIBIBYTE), *fields(wheel())])
    assert (long.status_code, "10240 bytes" in long.reason) == (413, True)


def test_the_size_of_headers_is_limited(start_server: StartServer) -> None:
    index = started(start_server, "--max-header-bytes", "2000")
    line = f"GET {index.path}/ HTTP/1.1"
    for size, status in ((1000, 200), (3000, 400)):
        headers = {**index.authorization, "X-Long": "x" * size}
        assert exchange(index.url, request(line, headers)).status == status


def test_the_number_of_headers_is_limited(victim: Index) -> None:
    line = f"GET {victim.path}/ HTTP/1.1"
    for number, status in ((MAX_HEADERS - 10, 200), (MAX_HEADERS + 10, 400)):
        headers = {**victim.authorization, **{f"X-{index}": "x" for index in range(number)}}
        assert exchange(victim.url, request(line, headers)).status == status


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-requests", "0"),
        ("--max-requests", "-1"),
        ("--max-file-bytes", "1e9"),
        ("--max-metadata-bytes", "x"),
        ("--stall-timeout", "0"),
        ("--stall-timeout", "nan"),
    ],
)
def test_an_invalid_limit_is_a_one_line_usage_error(
    start_server: StartServer, option: str, value: str
) -> None:
    process = start_server(option, value)
    assert process.wait() == 2
    last = process.log.splitlines()[-1]
    assert option in last
    assert "Traceback" not in process.log


def half_sent(index: Index) -> bytes:
    """Return the first half of an upload."""
    form = encode(fields(wheel(padding=100 * KIBIBYTE)))
    return head(index, form, Content_Length=str(len(form.body))) + form.body[: 50 * KIBIBYTE]


def test_requests_above_the_limit_get_503_with_retry_after(
    start_server: StartServer,
) -> None:
    index = started(start_server, "--max-requests", "8")
    with ExitStack() as open_:
        for number in range(8):
            assert index.get("/").status_code == 200, number
            open_.enter_context(connect(index.url)).send(half_sent(index))

        def is_full() -> bool:
            if index.server.request("GET", "/portal/").status_code == 503:
                return True
            # That request was itself in flight, so an upload may have been rejected meanwhile.
            open_.enter_context(connect(index.url)).send(half_sent(index))
            return False

        wait_until(is_full, "eight uploads to be received")
        # Rejected before its body is sent, and before its credentials are checked.
        for headers in ({}, {"Expect": "100-continue"}):
            ninth = open_.enter_context(connect(index.url))
            line = f"POST {index.path} HTTP/1.1"
            ninth.send(request(line, {"Content-Length": "1000000", **headers}))
            response = ninth.read_response()
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert "8 requests at once" in response.reason
        # Health checks are not limited.
        assert index.server.request("GET", "/healthz").status_code == 200
        assert index.server.request("GET", "/readyz").status_code == 200
    wait_until(lambda: index.get("/").status_code == 200, "the server to have room again")
    index.publish(wheel())


STALL = 1.0


def test_a_client_that_stops_sending_a_body_is_disconnected(start_server: StartServer) -> None:
    index = started(start_server, "--stall-timeout", str(STALL))
    api = request(
        "POST /api/users HTTP/1.1",
        {
            "Authorization": basic(*index.server.admin),
            "Content-Type": "application/json",
            "Content-Length": "100",
        },
    )
    put = request(
        f"PUT /api/repositories/{index.name}/files/{wheel().filename} HTTP/1.1",
        {"Authorization": basic(*index.server.admin), "Content-Length": "100"},
    )
    before = index.server.blobs()
    for sent in (half_sent(index), api + b'{"email":', put + b"PK"):
        with connect(index.url) as connection:
            connection.send(sent)
            response = connection.read_response()
            assert (response.status, "1 seconds" in response.reason) == (408, True)
            assert connection.closed_by_server()
    assert index.server.wait_until_only_blobs(before)
    index.publish(wheel())


@pytest.mark.parametrize(
    "sent", [b"", b"GET ", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-More:"], ids=["0", "4", "40"]
)
def test_a_client_that_sends_no_request_is_disconnected(
    start_server: StartServer, sent: bytes
) -> None:
    index = started(start_server, "--stall-timeout", str(STALL))
    with connect(index.url) as connection:
        if sent:
            connection.send(sent)
        assert connection.closed_by_server()
    # The same applies to a client that sent one request and then no other.
    with connect(index.url) as connection:
        connection.send(request("GET /healthz HTTP/1.1"))
        assert connection.read_response().status == 200
        if sent:
            connection.send(sent)
        assert connection.closed_by_server()
    assert index.get("/").status_code == 200


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "half"])
def test_a_client_that_stops_in_the_tls_handshake_is_disconnected(
    start_server: StartServer, tmp_path: Path, sent: bytes
) -> None:
    server = Server(start_server("--stall-timeout", str(STALL), "--tls", tmp_path / "ca.pem"))
    with connect(str(server.process.state()["tls_url"])) as connection:
        connection.send(sent)
        assert connection.closed_by_server()
    server.close()


def test_a_client_that_stops_reading_is_disconnected(start_server: StartServer) -> None:
    index = started(start_server, "--stall-timeout", str(STALL))
    large = wheel(padding=24 << 20)
    index.publish(large)
    with connect(index.url) as connection:
        connection.send(
            request(f"GET {index.path}/demo/{large.filename} HTTP/1.1", index.authorization)
        )
        wait_until(
            lambda: "read nothing of the response" in index.server.process.log,
            "the log to say that a slow client was disconnected",
        )
    assert index.file(large).content == large.data


def test_a_slow_client_that_keeps_sending_is_not_disconnected(start_server: StartServer) -> None:
    """An upload may take longer than the timeout if data keeps arriving."""
    timeout = 4 * STALL
    index = started(start_server, "--stall-timeout", str(timeout))
    form = encode(fields(wheel(padding=100)))
    began, step = time.monotonic(), len(form.body) // 12
    with connect(index.url) as connection:
        connection.send(head(index, form, Content_Length=str(len(form.body))))
        for start in range(0, len(form.body), step):
            connection.send(form.body[start : start + step])
            sent = time.monotonic()
            # Other requests are served meanwhile.
            while time.monotonic() - sent < timeout / 10:
                assert index.get("/").status_code == 200
        assert connection.read_response().status == 200
    assert time.monotonic() - began > timeout
