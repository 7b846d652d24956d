"""What killed test runs left is removed by age, over the API and by `cloudrepo-server sweep`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.server_fixtures import StartServer

DAY = 86_400.0
LONG_AGO = 1_577_836_800


def made(server: Server) -> set[str]:
    """The names of all repositories and users."""
    repositories = server.done("GET", "/repositories")["repositories"]
    users = server.done("GET", "/users")["users"]
    return {each["name"] for each in repositories} | {each["email"] for each in users}


def make(server: Server, name: str, run: str | None) -> set[str]:
    """A repository and a user, as a run has them; their names."""
    index = server.repository(name, run=run)
    email, _ = server.user(email=f"{name}@example.com", run=run)
    server.done("DELETE", f"/users/{index.username}")
    return {name, email}


def sweep(*arguments: str, login: tuple[str, str]) -> subprocess.CompletedProcess[str]:
    names = ("CLOUDREPO_ADMIN_USERNAME", "CLOUDREPO_ADMIN_PASSWORD")
    return subprocess.run(
        [sys.executable, "-m", "cloudrepo_server", "sweep", *arguments],
        env={**os.environ, **dict(zip(names, login, strict=True))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def age(folder: Path, names: set[str]) -> None:
    """Let these be made long ago."""
    for path in folder.rglob("*.json"):
        document = json.loads(path.read_text("utf-8"))
        if names & {document.get("email"), document.get("name")}:
            os.utime(path, (LONG_AGO, LONG_AGO))


def test_what_old_runs_made_goes_and_all_else_stays(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    process = start_server("--data", data, name="first")
    server = Server(process)
    gone = make(server, "killed-1", "killed") | make(server, "killed-2", "killed")
    index = Index(server, "killed-1", *server.user(email="of-nobody@example.com"))
    index.publish(wheel())
    server.done("POST", "/tokens", {"repository": "killed-1"})
    kept = make(server, "by-hand", None) | make(server, "young", "young")
    # A run goes on while it makes things; what it made at first is in use.
    kept |= make(server, "long-first", "long") | make(server, "long-last", "long")
    kept.add("of-nobody@example.com")
    server.close()
    assert process.stop() == 0
    old = ("by-hand", "long-first")
    age(data, gone | set(old) | {f"{name}@example.com" for name in old})

    process = start_server("--data", data, name="second")
    server = Server(process)
    assert made(server) == gone | kept
    swept = server.done("POST", "/sweep", {"runs_older_than": DAY})
    assert swept == {"runs": 1, "repositories": 2, "users": 2}
    assert made(server) == kept
    assert server.done("GET", "/tokens")["tokens"] == []
    assert server.keeps_nothing_beyond(set())
    assert server.done("POST", "/sweep", {"runs_older_than": DAY})["runs"] == 0
    assert server.done("POST", "/sweep", {"runs_older_than": 1e300})["runs"] == 0
    assert process.stop() == 0
    server.close()


def test_it_is_told_whose_each_is(own_server: Server) -> None:
    make(own_server, "demo", "cloudrepo-0123")
    assert own_server.done("GET", "/repositories/demo")["run"] == "cloudrepo-0123"
    (user,) = own_server.done("GET", "/users")["users"]
    assert user["run"] == "cloudrepo-0123"
    own_server.done("PATCH", "/repositories/demo", {"public": True})
    assert own_server.done("GET", "/repositories/demo")["run"] == "cloudrepo-0123"


@pytest.mark.parametrize("body", [{}, {"runs_older_than": -1}, {"runs_older_than": "1d"}, []])
def test_an_age_is_needed(server: Server, body: object) -> None:
    assert server.api("POST", "/sweep", body).status_code == 400


def test_the_command_asks_the_server(own_server: Server) -> None:
    make(own_server, "demo", "a-run")
    ended = sweep(
        *("--url", own_server.url + "/", "--runs-older-than", "1d"), login=own_server.admin
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Removed 0 repositories and 0 users of 0 stale test runs.\n"
    ended = sweep("--url", own_server.url, "--runs-older-than", "0s", login=own_server.admin)
    assert ended.stdout == "Removed 1 repositories and 1 users of 1 stale test runs.\n"
    assert made(own_server) == set()


@pytest.mark.parametrize(
    ("arguments", "login", "words"),
    [
        (
            ("--runs-older-than", "1d"),
            None,
            "rejected the request to sweep: 401 The user name or passphrase is wrong.",
        ),
        (("--runs-older-than", "1d"), ("", ""), "set CLOUDREPO_ADMIN_USERNAME and"),
        (
            ("--runs-older-than", "day"),
            None,
            "'day' is not an age: use a number and a unit, such as 45s",
        ),
        (("--runs-older-than", "1d", "--url", "x.example"), None, "not an http or https URL"),
        (
            ("--runs-older-than", "1d", "--url", "http://127.0.0.1:1"),
            None,
            "cannot connect to http://127.0.0.1:1: ",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    server: Server, arguments: tuple[str, ...], login: tuple[str, str] | None, words: str
) -> None:
    ended = sweep("--url", server.url, *arguments, login=login or ("admin", "wrong-password"))
    assert ended.returncode != 0
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "wrong-password" not in ended.stderr


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n<html>", b"nonsense\r\n", b""])
def test_a_stranger_is_told_apart(answer: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.wfile.write(answer)

        def log_message(self, format: str, *values: object) -> None:  # noqa: A002 (its own name)
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as stranger:
        Thread(target=stranger.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{stranger.server_port}"
        ended = sweep("--url", url, "--runs-older-than", "1d", login=("admin", "a-password"))
    assert ended.returncode == 1
    assert f"{url} sent a response that is not of a cloudrepo-server: " in ended.stderr
    assert "Traceback" not in ended.stderr
