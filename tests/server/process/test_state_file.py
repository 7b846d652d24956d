"""The state file, and the admin credentials in it."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest
import requests

from cloudrepo_server.process.replaced_file import read_replaced_file
from tests.support.index import Server
from tests.support.locked_file import locked
from tests.support.platforms import needs_posix, needs_windows
from tests.support.raw import exchange, request
from tests.support.server_fixtures import StartServer
from tests.support.terminal import run_in_terminal
from tests.support.wait import wait_until

HEALTHZ = request("GET /healthz HTTP/1.1")

posix = needs_posix("POSIX signals and permissions")


def test_the_state_file_has_the_url_and_the_admin_credentials(start_server: StartServer) -> None:
    process = start_server("--organization", "acme")
    state = process.state()
    assert set(state) >= {"url", "pid", "organization", "admin"}
    assert state["pid"] == process.pid
    assert state["organization"] == "acme"
    assert state["url"].startswith("http://127.0.0.1:")
    server = Server(process)
    assert server.api("GET", "/repositories").status_code == 200
    rejected = server.request("GET", "/repositories/")
    assert 'realm="acme"' in rejected.headers["WWW-Authenticate"]
    assert state["url"] in process.log
    assert state["admin"]["password"] not in process.log
    server.close()


@posix
def test_only_its_owner_can_read_the_state_file(start_server: StartServer) -> None:
    process = start_server()
    process.state()
    assert stat.S_IMODE(process.state_file.stat().st_mode) == 0o600


def test_the_state_file_is_replaced_atomically(tmp_path: Path, start_server: StartServer) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    old = {"url": "http://127.0.0.1:1", "padding": "x" * 10_000}
    (folder / "state.json").write_text(json.dumps(old))
    process = start_server(name="again")

    def new() -> bool:
        # Parsing fails if the file is incomplete at any moment.
        return bool(json.loads(read_replaced_file(process.state_file))["url"] != old["url"])

    wait_until(new, "the new state file")
    assert [path.name for path in folder.glob("state*")] == ["state.json"]
    assert exchange(process.state()["url"], HEALTHZ).status == 200


@needs_windows("locked files")
def test_a_file_is_read_after_another_process_unlocks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"content")
    with locked(path) as unlock:
        monkeypatch.setattr(time, "sleep", lambda _: unlock())
        assert read_replaced_file(path) == b"content"


def test_the_environment_sets_the_admin_credentials(start_server: StartServer) -> None:
    environ = {
        "CLOUDREPO_ADMIN_USERNAME": "boss@example.com",
        "CLOUDREPO_ADMIN_PASSWORD": "pâss:w/rd%",
    }
    process = start_server(environ=environ)
    assert process.state()["admin"] == {"username": "boss@example.com", "password": "pâss:w/rd%"}
    server = Server(process)
    assert server.api("GET", "/users").status_code == 200
    assert "pâss:w/rd%" not in process.log
    server.close()


def test_each_server_generates_a_different_admin_password(start_server: StartServer) -> None:
    environ = {"CLOUDREPO_ADMIN_USERNAME": "", "CLOUDREPO_ADMIN_PASSWORD": ""}
    first, second = (start_server(environ=environ).state()["admin"] for _ in range(2))
    assert first["username"] == second["username"] != ""
    assert len(first["password"]) >= 20
    assert first["password"] != second["password"]


@needs_posix("pseudo-terminals")
def test_generated_credentials_that_a_terminal_shows_are_valid() -> None:
    serve = [sys.executable, "-m", "cloudrepo_server", "serve"]
    environ = {name: value for name, value in os.environ.items() if "CLOUDREPO" not in name}
    with run_in_terminal(serve, environ) as server:
        url = server.wait_for(r"at (http://\S+)\s")[1]
        username, password = server.wait_for(r"for this server: (\S+) (\S+)\s").groups()
        response = requests.get(f"{url}/api/repositories", auth=(username, password), timeout=30)
        assert response.status_code == 200
        server.process.terminate()
        assert server.process.wait(60) == 0
