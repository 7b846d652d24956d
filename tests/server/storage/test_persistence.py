"""`--data`: what is kept, whose it is, and what a killed server leaves."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.archives import sdist, wheel
from tests.support.forms import encode, fields
from tests.support.index import JSON, Index, Server
from tests.support.process import ServerProcess
from tests.support.raw import connect, request
from tests.support.server_fixtures import StartServer

Start = Callable[[], AbstractContextManager[Server]]

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "here"


@pytest.fixture
def start(start_server: StartServer, data: Path) -> Start:
    @contextmanager
    def started() -> Iterator[Server]:
        server = Server(start_server("--data", data))
        try:
            yield server
        finally:
            server.close()
            assert server.process.process.poll() is not None or server.process.stop() == 0

    return started


def moved(index: Index, server: Server) -> Index:
    """The same repository and user on a server that was started again."""
    return Index(server, index.name, index.username, index.password)


def test_all_is_there_after_a_stop(start: Start) -> None:
    small, large, source = wheel(requires_python=">=3.8"), wheel("big", padding=2 << 20), sdist()
    with start() as server:
        index = server.repository(overwrite_protection=True, public=True, max_file_size=10 << 20)
        chosen = server.user(passphrase="chosen-by-a-person", read_only=True)
        token = server.done("POST", "/tokens", {"repository": index.name})["token"]
        index.publish(small, large, source, wheel(version="2.0"))
        index.done("PATCH", f"/files/{small.filename}", {"yanked": "it broke"})
        index.done("PATCH", "/projects/big", {"status": "deprecated", "reason": "too big"})
        index.done("DELETE", f"/files/{wheel(version='2.0').filename}")
        before = (index.done("GET"), index.done("GET", "/projects/demo"), index.json("/big/"))
        tags = [index.get(below, Accept=JSON).headers["ETag"] for below in ("/", "/demo/")]
        listed = [server.done("GET", path) for path in ("/users", "/tokens")]
    with start() as server:
        again = moved(index, server)
        assert [server.done("GET", path) for path in ("/users", "/tokens")] == listed
        settings = again.done("GET")
        assert settings.pop("url") == again.url
        assert settings == {key: value for key, value in before[0].items() if key != "url"}
        files = again.done("GET", "/projects/demo")["files"]
        assert [{**file, "url": ""} for file in files] == [
            {**file, "url": ""} for file in before[1]["files"]
        ]
        assert again.json("/big/") == before[2]
        for archive in (small, large, source):
            project = "big" if archive is large else "demo"
            assert again.get(f"/{project}/{archive.filename}").content == archive.data
        assert again.get(f"/demo/{small.filename}.metadata").content == small.metadata
        assert [again.get(below, Accept=JSON).headers["ETag"] for below in ("/", "/demo/")] == tags
        assert again.request("GET", "/demo/", auth=chosen).status_code == 200
        assert again.send(encode(fields(wheel())), auth=chosen).status_code == 403
        assert again.request("GET", "/demo/", auth=("any", token)).status_code == 200
        assert again.upload(wheel(module="x = 2\n")).status_code == 409


def test_a_deleted_name_stays_deleted(start: Start) -> None:
    with start() as server:
        index = server.repository(dialect="pypi")
        index.publish(wheel())
        index.done("DELETE", f"/files/{wheel().filename}")
    with start() as server:
        answer = moved(index, server).upload(wheel())
        assert answer.status_code == 400
        assert "previously used" in answer.reason


def test_what_was_deleted_is_gone_from_the_disk_after_a_stop(
    start: Start,
    data: Path,
) -> None:
    with start() as server:
        index, other = server.repository(), server.repository()
        index.publish(wheel(padding=2 << 20))
        index.publish(wheel(module="x = 2\n"))
        index.done("DELETE", f"/files/{wheel().filename}")
        other.publish(wheel())
        other.done("DELETE")
    assert [path for path in data.rglob("*") if path.is_file() and "blobs" in path.parts] == []


def test_a_second_server_is_refused_in_one_line(
    start: Start, start_server: StartServer, data: Path
) -> None:
    with start() as server:
        second = start_server("--data", data)
        assert second.wait() == 1
        (line,) = second.log.splitlines()
        assert line.startswith("cloudrepo-server: another server already uses")
        assert str(data) in line
        assert server.api("GET", "/users").status_code == 200
    with start() as server:
        assert server.api("GET", "/users").status_code == 200


@posix
def test_what_was_answered_survives_a_kill(start: Start) -> None:
    small, large = wheel(), wheel(version="2.0", padding=2 << 20)
    with start() as server:
        index = server.repository(overwrite_protection=True)
        index.publish(small, large)
        server.process.kill()
    with start() as server:
        again = moved(index, server)
        for archive in (small, large):
            assert again.get(f"/demo/{archive.filename}").content == archive.data
        assert again.upload(wheel(module="x = 2\n")).status_code == 409
        again.publish(wheel(version="3.0"))


@posix
def test_an_upload_that_was_under_way_at_a_kill_never_was(start: Start) -> None:
    with start() as server:
        index = server.repository(overwrite_protection=True)
        form = encode(fields(wheel(padding=8 << 20)))
        headers = {**index.authorization, "Content-Type": form.content_type}
        with connect(server.url) as connection:
            connection.send(request(f"POST {index.path} HTTP/1.1", headers, form.body)[:-100])
            index.get("/")
            server.process.process.send_signal(signal.SIGKILL)
            server.process.process.wait()
    with start() as server:
        again = moved(index, server)
        assert again.json("/")["projects"] == []
        again.publish(wheel(padding=8 << 20))
        assert again.file(wheel(padding=8 << 20)).status_code == 200


def damaged(data: Path, name: str) -> Path:
    """The one stored document whose path holds the name."""
    (path,) = (path for path in data.rglob("*.json") if name in path.as_posix())
    return path


@pytest.mark.parametrize("text", ["{", '{"name": 1}'])
def test_a_damaged_document_is_no_failure_of_all_others(
    start: Start,
    data: Path,
    text: str,
) -> None:
    with start() as server:
        index = server.repository()
        index.publish(wheel(), wheel("other"))
    damaged(data, "p-demo").write_text(text)
    with start() as server:
        again = moved(index, server)
        answer = again.get("/demo/")
        assert answer.status_code == 503
        assert "p-demo" in answer.json()["error"]
        assert again.upload(wheel()).status_code == 503
        assert again.get("/other/").status_code == 200
        assert "Traceback" not in server.process.log


def test_bytes_that_are_gone_are_404(start: Start, data: Path) -> None:
    with start() as server:
        index = server.repository()
        index.publish(wheel(), wheel(version="2.0", padding=2 << 20))
    for path in data.rglob("*"):
        if "blobs" in path.parts and path.is_file():
            path.unlink()
    with start() as server:
        again = moved(index, server)
        assert len(again.files()) == 2
        for name in list(again.files()):
            for below in ("", ".metadata"):
                answer = again.get(f"/demo/{name}{below}")
                assert answer.status_code == 404
                assert name in answer.json()["error"]
        again.publish(wheel())
        assert again.get(f"/demo/{wheel().filename}").content == wheel().data


def test_a_folder_that_is_not_a_servers_is_one_line(data: Path, start_server: StartServer) -> None:
    data.mkdir(parents=True)
    (data / "store").touch()
    process: ServerProcess = start_server("--data", data)
    assert process.wait() == 1
    (line,) = process.log.splitlines()
    assert line.startswith("cloudrepo-server: ")
    assert "store" in line
