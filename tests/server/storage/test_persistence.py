"""`--data`: data survives stops and kills, and one server owns the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.archives import sdist, wheel
from tests.support.forms import encode, fields
from tests.support.index import JSON, Index, Server
from tests.support.platforms import NEEDS_GRACEFUL_STOP, needs_posix
from tests.support.process import ServerProcess
from tests.support.raw import connect, request
from tests.support.server_fixtures import StartServer

Start = Callable[[], AbstractContextManager[Server]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "parent" / "data"


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


def on_restarted(server: Server, index: Index) -> Index:
    """Return the same repository and user on a restarted server."""
    return Index(server, index.name, index.username, index.password)


def test_everything_is_stored_after_a_stop(start: Start) -> None:
    small, large, source = wheel(requires_python=">=3.8"), wheel("big", padding=2 << 20), sdist()
    with start() as server:
        index = server.repository(overwrite_protection=True, public=True, max_file_size=10 << 20)
        chosen = server.user(passphrase="chosen-by-a-person", read_only=True)
        token = index.token()["token"]
        index.publish(small, large, source, wheel(version="2.0"))
        index.api_json("PATCH", f"/files/{small.filename}", {"yanked": "it broke"})
        index.api_json("PATCH", "/projects/big", {"status": "deprecated", "reason": "too big"})
        index.api_json("DELETE", f"/files/{wheel(version='2.0').filename}")
        before = (
            index.api_json("GET"),
            index.api_json("GET", "/projects/demo"),
            index.json("/big/"),
        )
        tags = [index.get(below, Accept=JSON).headers["ETag"] for below in ("/", "/demo/")]
        listed = [server.api_json("GET", path) for path in ("/users", "/tokens")]
    with start() as server:
        restarted = on_restarted(server, index)
        assert [server.api_json("GET", path) for path in ("/users", "/tokens")] == listed
        # The restarted server has another port.
        public_url = restarted.url.replace("/repositories", "/public/repositories")
        urls = {"url": restarted.url, "public_url": public_url}
        assert restarted.api_json("GET") == before[0] | urls
        files = restarted.api_json("GET", "/projects/demo")["files"]
        assert [{**file, "url": ""} for file in files] == [
            {**file, "url": ""} for file in before[1]["files"]
        ]
        assert restarted.json("/big/") == before[2]
        for archive in (small, large, source):
            project = "big" if archive is large else "demo"
            assert restarted.get(f"/{project}/{archive.filename}").content == archive.data
        assert restarted.get(f"/demo/{small.filename}.metadata").content == small.metadata
        assert [
            restarted.get(below, Accept=JSON).headers["ETag"] for below in ("/", "/demo/")
        ] == tags
        assert restarted.request("GET", "/demo/", auth=chosen).status_code == 200
        assert restarted.send(encode(fields(wheel())), auth=chosen).status_code == 403
        assert restarted.request("GET", "/demo/", auth=("any", token)).status_code == 200
        assert restarted.upload(wheel(module="x = 2\n")).status_code == 409


def test_a_deleted_name_stays_deleted(start: Start) -> None:
    with start() as server:
        index = server.repository(dialect="pypi")
        index.publish(wheel())
        index.api_json("DELETE", f"/files/{wheel().filename}")
    with start() as server:
        response = on_restarted(server, index).upload(wheel())
        assert response.status_code == 400
        assert "previously used" in response.reason


@NEEDS_GRACEFUL_STOP
def test_deleted_content_is_removed_from_the_disk_when_the_server_stops(
    start: Start,
    data: Path,
) -> None:
    with start() as server:
        index, other = server.repository(), server.repository()
        index.publish(wheel(padding=2 << 20))
        index.publish(wheel(module="x = 2\n"))
        index.api_json("DELETE", f"/files/{wheel().filename}")
        other.publish(wheel())
        other.api_json("DELETE")
    assert [path for path in data.rglob("*") if path.is_file() and "blobs" in path.parts] == []


def test_a_second_server_exits_with_a_one_line_error(
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


def test_accepted_uploads_survive_a_kill(start: Start) -> None:
    small, large = wheel(), wheel(version="2.0", padding=2 << 20)
    with start() as server:
        index = server.repository(overwrite_protection=True)
        index.publish(small, large)
        server.process.kill()
    with start() as server:
        restarted = on_restarted(server, index)
        for archive in (small, large):
            assert restarted.get(f"/demo/{archive.filename}").content == archive.data
        assert restarted.upload(wheel(module="x = 2\n")).status_code == 409
        restarted.publish(wheel(version="3.0"))


def test_an_upload_in_progress_during_a_kill_leaves_no_project(start: Start) -> None:
    with start() as server:
        index = server.repository(overwrite_protection=True)
        form = encode(fields(wheel(padding=8 << 20)))
        headers = {**index.authorization, "Content-Type": form.content_type}
        with connect(server.url) as connection:
            connection.send(request(f"POST {index.path} HTTP/1.1", headers, form.body)[:-100])
            index.get("/")
            server.process.kill()
    with start() as server:
        restarted = on_restarted(server, index)
        assert restarted.json("/")["projects"] == []
        restarted.publish(wheel(padding=8 << 20))
        assert restarted.file(wheel(padding=8 << 20)).status_code == 200


def document_path(data: Path, name: str) -> Path:
    """Return the path of the one stored document, besides counts, with `name` in its path."""
    paths = [path for path in data.rglob("*.json") if name in path.as_posix()]
    (path,) = (path for path in paths if "activity" not in path.parts)
    return path


@pytest.mark.parametrize("text", ["{", '{"name": 1}'])
def test_a_damaged_document_affects_only_its_own_project(
    start: Start,
    data: Path,
    text: str,
) -> None:
    with start() as server:
        index = server.repository()
        index.publish(wheel(), wheel("other"))
    document_path(data, "p-demo").write_text(text)
    with start() as server:
        restarted = on_restarted(server, index)
        response = restarted.get("/demo/")
        assert response.status_code == 503
        assert "p-demo" in response.json()["error"]
        assert restarted.upload(wheel()).status_code == 503
        assert restarted.get("/other/").status_code == 200
        assert "Traceback" not in server.process.log


@needs_posix("symbolic links and line feeds in file names")
def test_only_complete_files_with_valid_names_are_projects(start: Start, data: Path) -> None:
    with start() as server:
        index = server.repository()
        index.publish(wheel(), wheel("other"))
    [project] = data.glob("store/projects/*/p-demo.json")

    def names() -> list[str]:
        with start() as server:
            return [each["name"] for each in on_restarted(server, index).json("/")["projects"]]

    project.with_name("p-incomplete.json#1").write_bytes(project.read_bytes())
    assert names() == ["demo", "other"]
    project.with_name("p-link.json").symlink_to("nowhere")
    project.with_name("p-folder.json").mkdir()
    assert names() == ["demo", "other"]
    project.with_name("p-two\nlines.json").write_bytes(project.read_bytes())
    with start() as server:
        response = on_restarted(server, index).get("/")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "delete the object that the server's log names" in response.text


def test_a_file_without_its_content_is_404(start: Start, data: Path) -> None:
    with start() as server:
        index = server.repository()
        index.publish(wheel(), wheel(version="2.0", padding=2 << 20))
    for path in data.rglob("*"):
        if "blobs" in path.parts and path.is_file():
            path.unlink()
    with start() as server:
        restarted = on_restarted(server, index)
        assert len(restarted.files()) == 2
        for name in list(restarted.files()):
            for below in ("", ".metadata"):
                response = restarted.get(f"/demo/{name}{below}")
                assert response.status_code == 404
                assert name in response.json()["error"]
        restarted.publish(wheel())
        assert restarted.get(f"/demo/{wheel().filename}").content == wheel().data


def test_an_unusable_data_folder_is_a_one_line_error(data: Path, start_server: StartServer) -> None:
    data.mkdir(parents=True)
    (data / "store").touch()
    process: ServerProcess = start_server("--data", data)
    assert process.wait() == 1
    (line,) = process.log.splitlines()
    assert line.startswith("cloudrepo-server: ")
    assert "store" in line
