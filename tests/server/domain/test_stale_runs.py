"""The repositories and users of killed test runs are deleted by age: admin API and `sweep`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.stale_runs import delete_stale_runs
from cloudrepo_server.errors import DamagedDocumentError, NotFoundError
from cloudrepo_server.keys import user_key
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.server_fixtures import StartServer

DAY = 86_400.0
LONG_AGO = 1_577_836_800


def list_names(server: Server) -> set[str]:
    """Return the names of all repositories and users."""
    repositories = server.api_json("GET", "/repositories")["repositories"]
    users = server.api_json("GET", "/users")["users"]
    return {each["name"] for each in repositories} | {each["email"] for each in users}


def create(server: Server, name: str, run: str | None) -> set[str]:
    """Create a repository and a user of a test run; return their names."""
    index = server.repository(name, run=run)
    email, _ = server.user(email=f"{name}@example.com", run=run)
    server.api_json("DELETE", f"/users/{index.username}")
    return {name, email}


def sweep(*arguments: str, login: tuple[str, str]) -> subprocess.CompletedProcess[str]:
    names = ("CLOUDREPO_ADMIN_USERNAME", "CLOUDREPO_ADMIN_PASSWORD")
    return subprocess.run(
        [sys.executable, "-m", "cloudrepo_server", "sweep", *arguments],
        env={**os.environ, **dict(zip(names, login, strict=True))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def make_old(folder: Path, names: set[str]) -> None:
    """Set the modification time of these documents to long ago."""
    for path in folder.rglob("*.json"):
        document = json.loads(path.read_text("utf-8"))
        if names & {document.get("email"), document.get("name")}:
            os.utime(path, (LONG_AGO, LONG_AGO))


def test_only_repositories_and_users_of_stale_runs_are_deleted(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    process = start_server("--data", data, name="first")
    server = Server(process)
    stale = create(server, "killed-1", "killed") | create(server, "killed-2", "killed")
    index = Index(server, "killed-1", *server.user(email="without-run@example.com"))
    index.publish(wheel())
    server.api_json("POST", "/tokens", {"repository": "killed-1"})
    kept = create(server, "by-hand", None) | create(server, "young", "young")
    # A run that still creates repositories is alive, so its first ones are kept too.
    kept |= create(server, "long-first", "long") | create(server, "long-last", "long")
    # A run that still creates users is alive too, and a run may create nothing but users.
    kept |= create(server, "user-young", "user-young")
    stale.add(server.user(email="user-only@example.com", run="user-only")[0])
    kept.add("without-run@example.com")
    server.close()
    assert process.stop() == 0
    old = ("by-hand", "long-first")
    make_old(data, stale | {"user-young", *old} | {f"{name}@example.com" for name in old})

    process = start_server("--data", data, name="second")
    server = Server(process)
    assert list_names(server) == stale | kept
    report = server.api_json("POST", "/sweep", {"runs_older_than": DAY})
    assert report == {"runs": 2, "repositories": 2, "users": 3}
    assert list_names(server) == kept
    assert server.api_json("GET", "/tokens")["tokens"] == []
    assert server.wait_until_only_blobs(set())
    assert server.api_json("POST", "/sweep", {"runs_older_than": DAY})["runs"] == 0
    assert server.api_json("POST", "/sweep", {"runs_older_than": 1e300})["runs"] == 0
    assert process.stop() == 0
    server.close()


def test_repositories_and_users_keep_the_run_that_created_them(own_server: Server) -> None:
    create(own_server, "demo", "cloudrepo-0123")
    assert own_server.api_json("GET", "/repositories/demo")["run"] == "cloudrepo-0123"
    (user,) = own_server.api_json("GET", "/users")["users"]
    assert user["run"] == "cloudrepo-0123"
    own_server.api_json("PATCH", "/repositories/demo", {"public": True})
    assert own_server.api_json("GET", "/repositories/demo")["run"] == "cloudrepo-0123"


@pytest.mark.parametrize("body", [{}, {"runs_older_than": -1}, {"runs_older_than": "1d"}, []])
def test_a_sweep_requires_an_age(server: Server, body: object) -> None:
    assert server.api("POST", "/sweep", body).status_code == 400


def test_the_sweep_command_uses_the_admin_api(own_server: Server) -> None:
    create(own_server, "demo", "a-run")
    result = sweep(
        *("--url", own_server.url + "/", "--runs-older-than", "1d"), login=own_server.admin
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "Removed repositories: 0, users: 0 (of stale pytest sessions: 0).\n"
    result = sweep("--url", own_server.url, "--runs-older-than", "0s", login=own_server.admin)
    assert result.stdout == "Removed repositories: 1, users: 1 (of stale pytest sessions: 1).\n"
    assert list_names(own_server) == set()


def test_the_sweep_command_knows_the_default_name_of_the_admin_user(
    start_server: StartServer,
) -> None:
    environ = {"CLOUDREPO_ADMIN_USERNAME": "", "CLOUDREPO_ADMIN_PASSWORD": "an-admin-password"}
    process = start_server(environ=environ)
    login = ("", "an-admin-password")
    result = sweep("--url", process.state()["url"], "--runs-older-than", "1d", login=login)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "login", "words"),
    [
        (
            ("--runs-older-than", "1d"),
            None,
            "rejected the request: 401 The user name or passphrase is wrong.",
        ),
        (
            ("--runs-older-than", "1d"),
            ("", ""),
            ": the admin password is missing: set CLOUDREPO_ADMIN_PASSWORD\n",
        ),
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
def test_a_failed_sweep_prints_one_line(
    server: Server, arguments: tuple[str, ...], login: tuple[str, str] | None, words: str
) -> None:
    result = sweep("--url", server.url, *arguments, login=login or ("admin", "wrong-password"))
    assert result.returncode != 0
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert "wrong-password" not in result.stderr


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"nonsense\r\n",
        b"",
    ],
)
def test_a_sweep_of_another_kind_of_server_fails_without_a_traceback(response: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.wfile.write(response)

        def log_message(self, format: str, *values: object) -> None:  # noqa: A002 (its own name)
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as other:
        Thread(target=other.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_port}"
        result = sweep("--url", url, "--runs-older-than", "1d", login=("admin", "a-password"))
    assert result.returncode == 1
    assert f"{url} does not respond like a cloudrepo-server: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("existing", [False, True], ids=["missing", "of something else"])
def test_the_sweep_command_rejects_a_folder_without_a_store(
    tmp_path: Path, *, existing: bool
) -> None:
    folder = tmp_path / "parent" / "typo"
    if existing:
        folder.mkdir(parents=True)
        (folder / "notes.txt").touch()
    before = set(tmp_path.rglob("*"))

    result = sweep("--data", str(folder), login=("", ""))

    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"cloudrepo-server: no store of a server found at {folder}: ")
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("age", "runs"), [(59.9, 0), (60.0, 1), (60.1, 1)])
def test_a_run_is_stale_from_the_age_on(
    monkeypatch: pytest.MonkeyPatch, age: float, runs: int
) -> None:
    async def scenario() -> None:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        await organization.users.create("ann@example.com", run="a-run")

        async def document_ages(_: Organization) -> dict[str, float]:
            return {user_key("ann@example.com"): age}

        monkeypatch.setattr(Organization, "document_ages", document_ages)
        report = await delete_stale_runs(organization, older_than=60.0)
        assert (report.runs, report.users) == (runs, runs)
        await organization.close()

    asyncio.run(scenario())


def test_a_damaged_document_is_not_deleted_for_a_run_that_may_not_own_it(tmp_path: Path) -> None:
    async def create_both() -> None:
        storage = LocalStorage.in_folder(tmp_path)
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        await organization.create_repository("demo", run="a-run")
        await organization.users.create("ann@example.com", run="a-run")
        await organization.close()

    async def delete_both() -> None:
        storage = LocalStorage.in_folder(tmp_path)
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        with pytest.raises(DamagedDocumentError):
            await organization.delete_repository("demo", run="a-run")
        with pytest.raises(DamagedDocumentError):
            await organization.users.delete("ann@example.com", run="a-run")
        # The admin may delete them.
        await organization.delete_repository("demo")
        await organization.users.delete("ann@example.com")
        assert await organization.repositories() == []
        assert await organization.users.all() == []
        for deletion in (
            organization.delete_repository("demo"),
            organization.users.delete("ann@example.com"),
        ):
            with pytest.raises(NotFoundError):
                await deletion
        await organization.close()

    asyncio.run(create_both())
    documents = [path for folder in ("repositories", "users") for path in tmp_path.rglob(folder)]
    for folder in documents:
        (document,) = folder.glob("*.json")
        document.write_bytes(document.read_bytes()[:-1])
    asyncio.run(delete_both())
