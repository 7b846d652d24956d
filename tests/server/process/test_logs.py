"""The log: a line for each request, without secrets."""

from __future__ import annotations

import json
import logging
import re
import shlex
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from cloudrepo_server.logs import FIELDS, JsonFormatter, TextFormatter
from cloudrepo_server.logs.redaction import redacted
from tests.support.archives import wheel
from tests.support.index import Server
from tests.support.proxy_client import ProxyClient
from tests.support.raw import connect, exchange, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

TEXT = re.compile(r"(?P<time>\S+ \S+) (?P<level>[A-Z]+) request (?P<fields>.*)")


def json_lines(server: Server) -> list[dict[str, Any]]:
    lines = [line for line in server.process.log.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


def text_lines(server: Server) -> list[dict[str, Any]]:
    found = (TEXT.fullmatch(line) for line in server.process.log.splitlines())
    return [
        dict(pair.split("=", 1) for pair in shlex.split(match["fields"]))
        for match in found
        if match
    ]


READERS: dict[str, Callable[[Server], list[dict[str, Any]]]] = {
    "json": json_lines,
    "text": text_lines,
}


@pytest.fixture
def logging_server(start_server: StartServer, log_format: str) -> Server:
    return Server(start_server("--log-format", log_format))


def logged(server: Server, log_format: str, request_id: str) -> dict[str, str]:
    """Return the fields of the only line about a request, as text."""

    def found() -> list[dict[str, Any]]:
        lines = READERS[log_format](server)
        return [line for line in lines if line.get("request_id") == request_id]

    wait_until(lambda: found() != [], f"a line about the request {request_id}")
    (line,) = found()
    return {name: str(value) for name, value in line.items()}


@pytest.mark.parametrize("log_format", READERS)
def test_every_request_is_logged_in_one_line(logging_server: Server, log_format: str) -> None:
    index = logging_server.repository("demo", overwrite_protection=True)
    demo = wheel()
    index.publish(demo)
    logging_server.session.headers["User-Agent"] = 'pip/26.0 {"a": "b c"}'

    rejected = index.upload(wheel(module="x = 2\n"))
    fetched = index.file(demo)

    line = logged(logging_server, log_format, rejected.headers["X-Request-Id"])
    assert float(line.pop("seconds")) > 0
    assert int(line.pop("bytes_received")) == int(rejected.request.headers["Content-Length"])
    assert int(line.pop("bytes_sent")) > len(rejected.content)
    for extra in ("time", "level", "message"):
        line.pop(extra, None)
    assert line == {
        "request_id": rejected.headers["X-Request-Id"],
        "method": "POST",
        "path": "/repositories/demo",
        "repository": "demo",
        "project": "demo",
        "file": demo.filename,
        "user": index.username,
        "status": "409",
        "reason": rejected.reason,
        "user_agent": 'pip/26.0 {"a": "b c"}',
    }
    line = logged(logging_server, log_format, fetched.headers["X-Request-Id"])
    assert (line["method"], line["status"], line["file"]) == ("GET", "200", demo.filename)
    assert line["path"] == f"/repositories/demo/demo/{demo.filename}"
    assert "reason" not in line
    assert int(line["bytes_sent"]) > len(demo.data)
    logging_server.close()


@pytest.mark.parametrize("log_format", ["json"])
def test_a_json_line_has_a_time_and_a_level(logging_server: Server, log_format: str) -> None:
    response = logging_server.request("GET", "/healthz")
    line = logged(logging_server, log_format, response.headers["X-Request-Id"])
    offset = datetime.fromisoformat(line["time"]).utcoffset()
    assert offset is not None
    assert not offset
    assert (line["level"], line["message"]) == ("info", "request")
    logging_server.close()


def test_every_line_of_json_is_json(start_server: StartServer) -> None:
    process = start_server("--log-format", "json", "--host", "0.0.0.0")  # noqa: S104
    url = process.state()["url"]
    wait_until(lambda: "Serving" in process.log, "the URL in the log")
    process.stop()
    lines = [json.loads(line) for line in process.log.splitlines()]
    assert [line["level"] for line in lines] == ["warning", "info"]
    assert "is not a loopback address" in lines[0]["message"]
    assert url in lines[1]["message"]


@pytest.mark.parametrize("log_format", ["json"])
def test_the_log_names_the_user_if_the_credentials_are_right(
    logging_server: Server, log_format: str
) -> None:
    admin = logging_server.api("GET", "/users")
    index = logging_server.repository()
    reader = logging_server.user(read_only=True)
    forbidden = index.upload(wheel(), name="demo")
    read_only = index.request("POST", auth=reader)
    unknown = index.request("GET", auth=(index.username, "not-the-passphrase"))
    users = [
        logged(logging_server, log_format, response.headers["X-Request-Id"]).get("user")
        for response in (admin, forbidden, read_only, unknown)
    ]
    assert users == [logging_server.admin[0], index.username, reader[0], None]
    logging_server.close()


@pytest.mark.parametrize("log_format", READERS)
def test_no_secret_is_logged(logging_server: Server, log_format: str) -> None:
    index = logging_server.repository()
    token = index.token()["token"]
    secrets = [index.password, logging_server.admin[1], token.rpartition(".")[2]]
    # Clients put secrets into URLs and other headers by mistake.
    last = None
    for path in (
        f"{index.path}/https://{index.username}:{index.password}@example.com/",
        f"{index.path}/https:%2F%2Fuser:{index.password}%40example.com/",
        f"{index.path}/{token}/",
        f"{index.path}/?token={token}",
        f"/portal/?password={index.password}",
        f"/api/tokens/{token}",
    ):
        last = logging_server.request(
            "GET", path, auth=logging_server.admin, headers={"User-Agent": f"curl {token}"}
        )
    wrong = exchange(
        logging_server.url,
        request(
            f"GET http://user:{index.password}@x{index.path}/ HTTP/1.1",
            {"Authorization": f"Bearer {token}x", "User-Agent": f"Authorization: Bearer {token}"},
        ),
    )
    assert wrong.status == 401
    assert last is not None
    logged(logging_server, log_format, last.headers["X-Request-Id"])
    logged(logging_server, log_format, wrong.headers["X-Request-Id"])
    assert [secret for secret in secrets if secret in logging_server.process.log] == []
    logging_server.close()


@pytest.mark.parametrize("log_format", READERS)
def test_a_client_cannot_add_lines_to_the_log(logging_server: Server, log_format: str) -> None:
    agent = 'x" status=200\t\x85é\xff'
    # The server writes the state file before the first line of the log.
    wait_until(lambda: "Serving" in logging_server.process.log, "the first line of the log")
    before = len(logging_server.process.log.splitlines())
    head = request("GET /nothing HTTP/1.1", {"User-Agent": agent})
    response = exchange(logging_server.url, head)
    line = logged(logging_server, log_format, response.headers["X-Request-Id"])
    assert line["status"] == "404"
    assert line["user_agent"].startswith('x" status=200')
    assert len(logging_server.process.log.split("\n")) == before + 2
    logging_server.close()


@pytest.mark.parametrize("log_format", ["json"])
def test_a_client_that_disconnects_is_logged(logging_server: Server, log_format: str) -> None:
    index = logging_server.repository()
    headers = {**index.authorization, "Content-Length": "1000", "X-Request-Id": "disconnects"}
    headers["Content-Type"] = "multipart/form-data; boundary=x"
    with connect(logging_server.url) as connection:
        connection.send(request(f"POST {index.path} HTTP/1.1", headers) + b"--x\r\n")
    line = logged(logging_server, log_format, "disconnects")
    assert line["status"] in ("400", "499")
    logging_server.close()


def test_only_rejected_requests_are_logged_by_default(start_server: StartServer) -> None:
    server = Server(start_server())
    index = server.repository()
    assert index.get("/").status_code == 200
    response = index.get("/nothing/")
    wait_until(lambda: "/nothing/" in server.process.log, "the rejection in the log")
    _, line = server.process.log.splitlines()
    assert line.endswith(f" request_id={response.headers['X-Request-Id']}")
    assert f"INFO GET {index.path}/nothing/ 404 The project nothing was not found" in line
    server.close()


EARLY_REJECTIONS = {
    417: request("GET /simple/x/ HTTP/1.1", {"Expect": "x"}),
    400: b"GET /a b c HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("status", EARLY_REJECTIONS)
def test_requests_that_are_rejected_at_once_are_logged(
    logging_server: Server, log_format: str, status: int
) -> None:
    assert exchange(logging_server.url, EARLY_REJECTIONS[status]).status == status

    def found() -> list[str]:
        lines = READERS[log_format](logging_server)
        return [str(line["status"]) for line in lines if "status" in line]

    wait_until(lambda: found() != [], "a line about the request")
    assert found() == [str(status)]


@pytest.mark.parametrize("status", EARLY_REJECTIONS)
def test_requests_that_are_rejected_at_once_are_logged_by_default(
    start_server: StartServer, status: int
) -> None:
    server = Server(start_server())
    assert exchange(server.url, EARLY_REJECTIONS[status]).status == status
    wait_until(lambda: f" {status} " in server.process.log, "a line about the request")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_requests_that_the_proxy_rejects_are_logged(
    logging_server: Server, log_format: str
) -> None:
    client = ProxyClient.of(logging_server.repository(), allow=("localhost",))
    requests = {
        "400": request("GET http://me:pass/word@a.example/ HTTP/1.1"),
        "407": request(
            "GET http://me:word@a.example/x?word HTTP/1.1", {"Proxy-Authorization": "x"}
        ),
        "431": b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000,
        "403": client.request("CONNECT my_index:443 HTTP/1.1"),
        "502": client.request("CONNECT localhost:1 HTTP/1.1"),
    }
    for status, head in requests.items():
        with client.connect() as connection:
            connection.send(head)
            assert connection.read_response().status == int(status)

    def found() -> dict[str, dict[str, Any]]:
        lines = READERS[log_format](logging_server)
        return {str(line["status"]): line for line in lines if "status" in line}

    wait_until(lambda: found().keys() >= requests.keys(), "a line about each request")
    lines = found()
    assert (lines["400"]["method"], lines["400"]["path"]) == ("UNKNOWN", "/")
    assert (lines["407"]["method"], lines["407"]["path"]) == ("GET", "http://a.example/x")
    assert lines["403"]["path"] == "my_index:443"
    assert lines["502"]["path"] == "localhost:1"
    assert len({lines[status]["request_id"] for status in requests}) == len(requests)
    for secret in ("pass", "word", urlsplit(client.url).password or ""):
        assert secret not in logging_server.process.log


def test_requests_that_the_proxy_rejects_are_logged_by_default(start_server: StartServer) -> None:
    server = Server(start_server())
    client = ProxyClient.of(server.repository())
    with client.connect() as connection:
        connection.send(request("GET http://a.example/x HTTP/1.1"))
        assert connection.read_response().status == 407
    wait_until(
        lambda: "GET http://a.example/x 407 The credentials for the proxy" in server.process.log,
        "a line about the request",
    )


def test_every_response_has_a_unique_request_id(server: Server) -> None:
    index = server.repository()
    demo = wheel(padding=2 << 20)
    index.publish(demo)
    responses = [
        index.get("/"),
        index.get("/"),
        index.file(demo),
        index.get("/nothing/"),
        server.request("GET", "/nothing"),
        server.request("PATCH", "/api/users"),
        server.request("GET", "/portal/"),
        server.api("GET", "/repositories"),
    ]
    ids = [response.headers["X-Request-Id"] for response in responses]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if not re.fullmatch(r"[0-9a-f]{16}", one)] == []


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ("7a3c9e1f-52d0-4f3a-9f6e-d2b5c0e4a711", True),
        ("Root=1-5759e988-bd862e3fe1be46a994272793", True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("two words", False),
        ("<script>", False),
        ("\xe9", False),
        ("", False),
    ],
)
def test_a_client_can_set_the_request_id(server: Server, given: str, *, accepted: bool) -> None:
    response = exchange(server.url, request("GET /healthz HTTP/1.1", {"X-Request-Id": given}))
    assert (response.headers["X-Request-Id"] == given) is accepted


def failure_with(secret: str) -> logging.LogRecord:
    url = f"https://me:{secret}@example.com/?X-Amz-Signature={secret}"
    error = RuntimeError(f"cannot reach {url}")
    traceback = RuntimeError, error, None
    return logging.LogRecord("x", logging.ERROR, "x.py", 1, "%s", ("it failed",), traceback)


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_a_traceback_has_no_secret(formatter: type[logging.Formatter]) -> None:
    shown = formatter().format(failure_with("a-secret"))
    assert "RuntimeError: cannot reach https://***@example.com/?X-Amz-Signature=***" in shown
    assert "a-secret" not in shown
    assert "it failed" in shown


def test_a_traceback_is_part_of_one_json_line() -> None:
    (line,) = JsonFormatter().format(failure_with("a\nsecret")).splitlines()
    assert json.loads(line)["traceback"].startswith("RuntimeError: cannot reach")


UNPRINTABLE = [chr(code) for code in range(0x110000) if not chr(code).isprintable()]


def lines_as_terminals_see_them(text: str) -> list[str]:
    """Return the lines, after checking that every character is printable."""
    lines = text.split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    return lines


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_every_unprintable_character_is_escaped(formatter: type[logging.Formatter]) -> None:
    """Each could end a line (U+2028) or begin a terminal control sequence (U+009B)."""
    text = f"begin{''.join(UNPRINTABLE)}end"
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "said: %s", (text,), None)
    setattr(record, FIELDS, {"user_agent": text})
    (line,) = lines_as_terminals_see_them(formatter().format(record))
    assert line.count("begin") == line.count("end") == 2
    assert line.count(r"\u009b") == line.count(r"\u2028") == line.count(r"\u202e") == 2
    if formatter is JsonFormatter:
        # Half of a surrogate pair cannot be encoded in UTF-8.
        assert json.loads(line)["user_agent"] == text.encode(errors="replace").decode()


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_a_traceback_adds_no_line_that_looks_like_a_record(
    formatter: type[logging.Formatter],
) -> None:
    forged = "x\n2026-01-01 00:00:00,000 INFO request status=200"
    error = ValueError(f"{forged}\x9b2J")
    traceback = ValueError, error, None
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "%s", (forged,), traceback)
    first, *others = lines_as_terminals_see_them(formatter().format(record))
    assert "status=200" in first
    assert [line for line in others if not line.startswith("  ")] == []


@pytest.mark.parametrize("log_format", READERS)
def test_the_log_is_utf_8_even_if_the_default_encoding_is_not(
    start_server: StartServer, log_format: str
) -> None:
    environ = {"PYTHONIOENCODING": "cp1252"}
    server = Server(start_server("--log-format", log_format, environ=environ))
    agent = "é ✓ \N{OPTICAL DISC}"
    head = request("GET /x HTTP/1.1", {"User-Agent": agent.encode().decode("latin-1")})
    identifier = exchange(server.url, head).headers["X-Request-Id"]
    assert logged(server, log_format, identifier)["user_agent"] == agent
    server.close()


@pytest.mark.parametrize("log_format", [None, *READERS])
def test_a_client_cannot_send_control_characters_to_the_log(
    start_server: StartServer, log_format: str | None
) -> None:
    server = Server(start_server(*(["--log-format", log_format] if log_format else [])))
    agent = "x \u009b2J \u2028 \u202e \ufeff é".encode().decode("latin-1")
    head = request("GET /nothing%C2%9B%E2%80%A8 HTTP/1.1", {"User-Agent": agent})
    response = exchange(server.url, head)
    identifier = response.headers["X-Request-Id"]
    wait_until(lambda: identifier in server.process.log, "the request in the log")
    lines = lines_as_terminals_see_them(server.process.log)
    assert len([line for line in lines if identifier in line]) == 1
    server.close()


@pytest.mark.parametrize("scheme", [":%2f%2f", "://", ":%2F%2f%40"])
def test_a_request_whose_path_has_many_schemes_is_logged_in_little_time(
    own_server: Server, scheme: str
) -> None:
    path = "/x" + (scheme * 8000)[:8000]
    times = psutil.Process(own_server.process.pid).cpu_times()
    for _ in range(10):
        assert exchange(own_server.url, request(f"GET {path} HTTP/1.1")).status == 404
    later = psutil.Process(own_server.process.pid).cpu_times()
    assert later.user + later.system - times.user - times.system < 0.5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:pw@host/x", "http://***@host/x"),
        ("http://u:p@w@host/x", "http://***@host/x"),
        ("http:%2f%2fu:pw%40host%2fx", "http:%2f%2f***%40host%2fx"),
        ("http:%2F%2fhost:%2f%2fu:pw@x http://host/", "http:%2F%2f***@x http://host/"),
        ("http://host/a@b", "http://host/a@b"),
        ("GET //ann@example.com:pw@host/x 404", "GET //***@host/x 404"),
        ("/repositories/demo/u:p@w@host/x", "/repositories/demo/***@host/x"),
        ("/repositories/demo/u%3apw%40host/x", "/repositories/demo/***%40host/x"),
        ("/repositories/demo/u%253Apw%2540host", "/repositories/demo/***%2540host"),
        ("path=u:pw@host user=ann@example.com", "path=***@host user=ann@example.com"),
        ("/cloudrepo%2E0123%2eabc-DEF_/", "/cloudrepo%2E0123%2e***/"),
    ],
)
def test_credentials_in_urls_are_redacted(text: str, shown: str) -> None:
    assert redacted(text) == shown
