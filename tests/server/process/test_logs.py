"""What the server's log says of each request, and what it never says."""

from __future__ import annotations

import json
import logging
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from cloudrepo_server.logs import JsonFormatter, TextFormatter
from tests.support.archives import wheel
from tests.support.index import Server
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


def said(server: Server, log_format: str, request_id: str) -> dict[str, str]:
    """What one line says of a request, all as text."""

    def found() -> list[dict[str, Any]]:
        lines = READERS[log_format](server)
        return [line for line in lines if line.get("request_id") == request_id]

    wait_until(lambda: found() != [], f"the line of the request {request_id}")
    (line,) = found()
    return {name: str(value) for name, value in line.items()}


@pytest.mark.parametrize("log_format", READERS)
def test_every_request_is_one_line(logging_server: Server, log_format: str) -> None:
    index = logging_server.repository("demo", overwrite_protection=True)
    demo = wheel()
    index.publish(demo)
    logging_server.session.headers["User-Agent"] = 'pip/26.0 {"a": "b c"}'

    refused = index.upload(wheel(module="x = 2\n"))
    fetched = index.file(demo)

    line = said(logging_server, log_format, refused.headers["X-Request-Id"])
    assert float(line.pop("seconds")) > 0
    assert int(line.pop("bytes_received")) == int(refused.request.headers["Content-Length"])
    assert int(line.pop("bytes_sent")) > len(refused.content)
    for extra in ("time", "level", "message"):
        line.pop(extra, None)
    assert line == {
        "request_id": refused.headers["X-Request-Id"],
        "method": "POST",
        "path": "/repositories/demo",
        "repository": "demo",
        "project": "demo",
        "file": demo.filename,
        "user": index.username,
        "status": "409",
        "reason": refused.reason,
        "user_agent": 'pip/26.0 {"a": "b c"}',
    }
    line = said(logging_server, log_format, fetched.headers["X-Request-Id"])
    assert (line["method"], line["status"], line["file"]) == ("GET", "200", demo.filename)
    assert line["path"] == f"/repositories/demo/demo/{demo.filename}"
    assert "reason" not in line
    assert int(line["bytes_sent"]) > len(demo.data)
    logging_server.close()


@pytest.mark.parametrize("log_format", ["json"])
def test_a_line_of_json_has_its_time_and_level(logging_server: Server, log_format: str) -> None:
    answer = logging_server.request("GET", "/healthz")
    line = said(logging_server, log_format, answer.headers["X-Request-Id"])
    offset = datetime.fromisoformat(line["time"]).utcoffset()
    assert offset is not None
    assert not offset
    assert (line["level"], line["message"]) == ("info", "request")
    logging_server.close()


def test_every_line_of_json_is_json(start_server: StartServer) -> None:
    process = start_server("--log-format", "json", "--host", "0.0.0.0")  # noqa: S104 (warned of)
    url = process.state()["url"]
    wait_until(lambda: "Serving" in process.log, "the address")
    process.stop()
    lines = [json.loads(line) for line in process.log.splitlines()]
    assert [line["level"] for line in lines] == ["warning", "info"]
    assert "is not a loopback address" in lines[0]["message"]
    assert url in lines[1]["message"]


@pytest.mark.parametrize("log_format", ["json"])
def test_who_asks_is_told_wherever_it_is_known(logging_server: Server, log_format: str) -> None:
    admin = logging_server.api("GET", "/users")
    index = logging_server.repository()
    reader = logging_server.user(read_only=True)
    forbidden = index.upload(wheel(), name="demo")
    refused = index.request("POST", auth=reader)
    stranger = index.request("GET", auth=(index.username, "not-the-passphrase"))
    told = [
        said(logging_server, log_format, answer.headers["X-Request-Id"]).get("user")
        for answer in (admin, forbidden, refused, stranger)
    ]
    assert told == [logging_server.admin[0], index.username, reader[0], None]
    logging_server.close()


@pytest.mark.parametrize("log_format", READERS)
def test_no_secret_is_told(logging_server: Server, log_format: str) -> None:
    index = logging_server.repository()
    token = logging_server.done("POST", "/tokens", {"repository": index.name})["token"]
    secrets = [index.password, logging_server.admin[1], token.rpartition(".")[2]]
    # Whoever mistakes a field for another must not find it in the log.
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
    said(logging_server, log_format, last.headers["X-Request-Id"])
    said(logging_server, log_format, wrong.headers["X-Request-Id"])
    assert [secret for secret in secrets if secret in logging_server.process.log] == []
    logging_server.close()


@pytest.mark.parametrize("log_format", READERS)
def test_nobody_writes_lines_of_his_own(logging_server: Server, log_format: str) -> None:
    agent = 'x" status=200\t\x85é\xff'
    # The state file is there before the first line of the log.
    wait_until(lambda: "Serving" in logging_server.process.log, "the first line of the log")
    before = len(logging_server.process.log.splitlines())
    asked = request("GET /nothing HTTP/1.1", {"User-Agent": agent})
    answer = exchange(logging_server.url, asked)
    line = said(logging_server, log_format, answer.headers["X-Request-Id"])
    assert line["status"] == "404"
    assert line["user_agent"].startswith('x" status=200')
    assert len(logging_server.process.log.split("\n")) == before + 2
    logging_server.close()


@pytest.mark.parametrize("log_format", ["json"])
def test_a_client_that_leaves_is_told_of(logging_server: Server, log_format: str) -> None:
    index = logging_server.repository()
    headers = {**index.authorization, "Content-Length": "1000", "X-Request-Id": "leaves"}
    headers["Content-Type"] = "multipart/form-data; boundary=x"
    with connect(logging_server.url) as connection:
        connection.send(request(f"POST {index.path} HTTP/1.1", headers) + b"--x\r\n")
    line = said(logging_server, log_format, "leaves")
    assert line["status"] in ("400", "499")
    logging_server.close()


def test_without_the_option_refusals_alone_are_told(start_server: StartServer) -> None:
    server = Server(start_server())
    index = server.repository()
    assert index.get("/").status_code == 200
    answer = index.get("/nothing/")
    wait_until(lambda: "/nothing/" in server.process.log, "the refusal in the log")
    _, line = server.process.log.splitlines()
    assert line.endswith(f" request_id={answer.headers['X-Request-Id']}")
    assert f"INFO GET {index.path}/nothing/ 404 The project nothing was not found" in line
    server.close()


def test_every_answer_has_an_id_of_its_own(server: Server) -> None:
    index = server.repository()
    demo = wheel(padding=2 << 20)
    index.publish(demo)
    answers = [
        index.get("/"),
        index.get("/"),
        index.file(demo),
        index.get("/nothing/"),
        server.request("GET", "/nothing"),
        server.request("PATCH", "/api/users"),
        server.request("GET", "/portal/"),
        server.api("GET", "/repositories"),
    ]
    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if not re.fullmatch(r"[0-9a-f]{16}", one)] == []


@pytest.mark.parametrize(
    ("given", "taken"),
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
def test_a_request_may_bring_its_id(server: Server, given: str, taken: bool) -> None:  # noqa: FBT001 (a case's outcome)
    answer = exchange(server.url, request("GET /healthz HTTP/1.1", {"X-Request-Id": given}))
    assert (answer.headers["X-Request-Id"] == given) is taken


def failed(secret: str) -> logging.LogRecord:
    url = f"https://me:{secret}@example.com/?X-Amz-Signature={secret}"
    error = RuntimeError(f"cannot reach {url}")
    traceback = RuntimeError, error, None
    return logging.LogRecord("x", logging.ERROR, "x.py", 1, "%s", ("it failed",), traceback)


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_a_traceback_tells_no_secret(formatter: type[logging.Formatter]) -> None:
    shown = formatter().format(failed("a-secret"))
    assert "RuntimeError: cannot reach https://***@example.com/?X-Amz-Signature=***" in shown
    assert "a-secret" not in shown
    assert "it failed" in shown


def test_a_traceback_is_one_line_of_json() -> None:
    (line,) = JsonFormatter().format(failed("a\nsecret")).splitlines()
    assert json.loads(line)["traceback"].startswith("RuntimeError: cannot reach")


def test_nothing_of_it_is_imported_unless_it_is_asked_for() -> None:
    code = (
        "import sys, cloudrepo_server.process.server\n"
        "print([name for name in sys.modules if name.endswith(('observing', 'request_log'))])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == "[]"
