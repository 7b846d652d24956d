"""A store that takes no more: the client is told so, what was there stays, and service goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.archives import wheel
from tests.support.data_folder import stored_blobs, wait_for_blobs
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser
from tests.support.server_fixtures import StartServer

KIBIBYTE = 1 << 10
MEBIBYTE = 1 << 20

OLD = wheel()
OTHER = wheel(module="x = 2\n")
LARGE = wheel("large", padding=6 * MEBIBYTE)

Full = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def index(start_server: StartServer, data: Path) -> Iterator[Index]:
    """A repository with a file, and a large one that was yanked."""
    server = Server(start_server("--data", data))
    index = server.repository()
    index.publish(OLD, wheel("yanked"))
    index.done("PATCH", f"/files/{wheel('yanked').filename}", {"yanked": "once"})
    yield index
    server.close()
    assert server.process.stop() == 0
    assert "Traceback" not in server.process.log


@pytest.fixture
def full(index: Index) -> Full:
    """No file of the server's may become larger than so many bytes: its disk is full."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux lets another process's limits be set")
    process = psutil.Process(index.server.process.pid)

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        _, hard = before = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            process.rlimit(psutil.RLIMIT_FSIZE, before)

    return limited


def changes(index: Index) -> Iterator[tuple[str, int, str]]:
    """What each way to change something is answered: its name, the status and the reason."""
    server = index.server
    for archive in (OTHER, wheel("new"), LARGE):
        answer = index.upload(archive)
        yield f"the upload of {archive.filename}", answer.status_code, answer.reason
    put = server.request(
        "PUT",
        f"/api/repositories/{index.name}/files/{OTHER.filename}",
        data=OTHER.data,
        auth=server.admin,
    )
    yield "a put", put.status_code, put.reason
    for method, path, body in (
        ("PATCH", f"/repositories/{index.name}", {"overwrite_protection": True}),
        ("PATCH", f"/repositories/{index.name}/files/{OLD.filename}", {"yanked": "why"}),
        ("PATCH", f"/repositories/{index.name}/projects/demo", {"status": "archived"}),
        ("PATCH", f"/users/{index.username}", {"read_only": True}),
        ("POST", "/repositories", {"name": "another"}),
        ("POST", "/users", {"email": "another@example.com"}),
        ("POST", "/tokens", {"repository": index.name}),
    ):
        answer = server.api(method, path, body)
        yield f"{method} {path}", answer.status_code, answer.reason


def state(index: Index) -> object:
    """All that there is, as it is told."""
    server = index.server
    return [
        {key: value for key, value in index.done("GET").items() if key != "url"},
        [{**file, "url": ""} for file in index.done("GET", "/projects/demo")["files"]],
        [{**file, "url": ""} for file in index.done("GET", "/projects/yanked")["files"]],
        index.done("GET", "/projects"),
        *(server.done("GET", path) for path in ("/users", "/tokens")),
        [each["name"] for each in server.done("GET", "/repositories")["repositories"]],
        index.get(f"/demo/{OLD.filename}").content,
        index.get(f"/demo/{OLD.filename}.metadata").content,
    ]


def assert_serves_again(index: Index) -> None:
    """Whatever was refused is taken now."""
    for what, status, reason in changes(index):
        # Protection is set on the way.
        assert status in (200, 201) or (what == "a put" and status == 409), (what, reason)
    assert index.get(f"/demo/{OLD.filename}").content == OTHER.data
    assert index.get(f"/large/{LARGE.filename}").content == LARGE.data


def assert_all_refused(index: Index, data: Path, *, status: int, reason: str) -> None:
    before, blobs = state(index), len(stored_blobs(data))
    for what, answered, said in changes(index):
        assert answered == status, (what, said)
        assert reason in said, what
    assert state(index) == before
    wait_for_blobs(blobs, data)
    assert index.server.request("GET", "/healthz").status_code == 200
    assert index.server.request("GET", "/readyz").status_code == 503


def test_a_full_disk_is_told_and_changes_nothing(index: Index, data: Path, full: Full) -> None:
    with full(0):
        assert_all_refused(index, data, status=507, reason="disk is full")
    assert_serves_again(index)


def test_a_file_that_is_too_large_for_what_is_left_leaves_nothing(
    index: Index, data: Path, full: Full
) -> None:
    blobs = len(stored_blobs(data))
    with full(3 * MEBIBYTE):
        answer = index.upload(LARGE)
        assert (answer.status_code, "disk is full" in answer.reason) == (507, True)
        assert index.get("/large/").status_code == 404
        wait_for_blobs(blobs, data)
        index.publish(wheel("new"))
    index.publish(LARGE)
    assert index.file(LARGE, "large").content == LARGE.data


def test_bytes_whose_document_is_not_taken_leave_nothing(
    index: Index, data: Path, full: Full
) -> None:
    for number in range(20):
        index.publish(wheel(version=f"{number}.1"))
    blobs = len(stored_blobs(data))
    with full(2 * KIBIBYTE):
        answer = index.upload(wheel(version="21.0"))
        assert (answer.status_code, "disk is full" in answer.reason) == (507, True)
        wait_for_blobs(blobs, data)
        assert len(index.files()) == 21
        # Which is smaller than that of all those files.
        index.publish(wheel("new"))
    index.publish(wheel(version="21.0"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("this system has no mount")
    options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run([mount, *options], check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run([unmount, "--lazy", folder], check=True)


def test_a_disk_that_fills_up_is_told_and_what_was_taken_is_served(
    small_disk: Path, start_server: StartServer
) -> None:
    server = Server(start_server("--data", small_disk / "data"))
    index = server.repository()
    taken = []
    for number in range(20):
        archive = wheel(version=f"{number}.0", padding=600 * KIBIBYTE)
        answer = index.upload(archive)
        if answer.status_code != 200:
            assert (answer.status_code, "disk is full" in answer.reason) == (507, True)
            break
        taken.append(archive)
    assert 3 <= len(taken) < 8
    assert index.upload(LARGE).status_code == 507
    for archive in taken:
        assert index.file(archive).content == archive.data
    assert len(index.files()) == len(taken)
    process = server.process
    server.close()
    assert process.stop() == 0
    server = Server(start_server("--data", small_disk / "data"))
    again = Index(server, index.name, index.username, index.password)
    assert len(again.files()) == len(taken)
    server.done("DELETE", f"/repositories/{index.name}")
    other = server.repository()
    other.publish(wheel(padding=600 * KIBIBYTE))
    server.close()


def test_a_folder_that_cannot_be_written_is_told_and_changes_nothing(
    index: Index, data: Path
) -> None:
    store, aside = data / "store", data / "aside"
    state(index)
    store.rename(aside)
    # In its stead, something in which nothing can be made, whoever tries.
    store.touch()
    try:
        for what, status, reason in changes(index):
            assert status == 503, (what, reason)
            assert "nothing was changed" in reason
        assert index.server.request("GET", "/readyz").status_code == 503
        assert index.get("/demo/").status_code == 200
    finally:
        store.unlink()
        aside.rename(store)
    assert_serves_again(index)


def test_the_portal_says_so_too(index: Index, full: Full) -> None:
    browser = Browser(index.server)
    browser.sign_in(*index.server.admin)
    before = index.done("GET")
    with full(0):
        page = browser.upload(index.name, OTHER, wheel("new"), status=507)
        assert "disk is full" in page.text
        page = browser.submit("/portal/create-repository", name="another", status=507)
        assert "disk is full" in page.text
    assert index.done("GET") == before
    assert index.get(f"/demo/{OLD.filename}").content == OLD.data
    browser.upload(index.name, OTHER)
    assert index.get(f"/demo/{OLD.filename}").content == OTHER.data
