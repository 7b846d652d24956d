"""On a full disk the server reports an error, loses no data, and continues to serve."""

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
REPLACEMENT = wheel(module="x = 2\n")
LARGE = wheel("large", padding=6 * MEBIBYTE)

LimitFileSize = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def index(start_server: StartServer, data: Path) -> Iterator[Index]:
    """A repository with a file, and with a yanked file in another project."""
    server = Server(start_server("--data", data))
    index = server.repository()
    index.publish(OLD, wheel("yanked"))
    index.api_json("PATCH", f"/files/{wheel('yanked').filename}", {"yanked": "once"})
    yield index
    server.close()
    assert server.process.stop() == 0
    assert "Traceback" not in server.process.log


@pytest.fixture
def limit_file_size(index: Index) -> LimitFileSize:
    """Simulate a full disk: the server cannot write files larger than this number of bytes."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux can set the limits of another process")
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


def try_changes(index: Index) -> Iterator[tuple[str, int, str]]:
    """Try each kind of change; yield its name and the response's status and reason."""
    server = index.server
    for archive in (REPLACEMENT, wheel("new"), LARGE):
        response = index.upload(archive)
        yield f"the upload of {archive.filename}", response.status_code, response.reason
    put = server.request(
        "PUT",
        f"/api/repositories/{index.name}/files/{REPLACEMENT.filename}",
        data=REPLACEMENT.data,
        auth=server.admin,
    )
    yield "a PUT request", put.status_code, put.reason
    for method, path, body in (
        ("PATCH", f"/repositories/{index.name}", {"overwrite_protection": True}),
        ("PATCH", f"/repositories/{index.name}/files/{OLD.filename}", {"yanked": "why"}),
        ("PATCH", f"/repositories/{index.name}/projects/demo", {"status": "archived"}),
        ("PATCH", f"/users/{index.username}", {"read_only": True}),
        ("POST", "/repositories", {"name": "another"}),
        ("POST", "/users", {"email": "another@example.com"}),
        ("POST", "/tokens", {"repository": index.name}),
    ):
        response = server.api(method, path, body)
        yield f"{method} {path}", response.status_code, response.reason


def state(index: Index) -> object:
    """Return the whole visible state."""
    server = index.server
    return [
        {key: value for key, value in index.api_json("GET").items() if key != "url"},
        [{**file, "url": ""} for file in index.api_json("GET", "/projects/demo")["files"]],
        [{**file, "url": ""} for file in index.api_json("GET", "/projects/yanked")["files"]],
        index.api_json("GET", "/projects"),
        *(server.api_json("GET", path) for path in ("/users", "/tokens")),
        [each["name"] for each in server.api_json("GET", "/repositories")["repositories"]],
        index.get(f"/demo/{OLD.filename}").content,
        index.get(f"/demo/{OLD.filename}.metadata").content,
    ]


def assert_changes_succeed(index: Index) -> None:
    """Check that the changes that failed before succeed now."""
    for what, status, reason in try_changes(index):
        # An earlier one of these changes turned overwrite protection on.
        assert status in (200, 201) or (what == "a PUT request" and status == 409), (what, reason)
    assert index.get(f"/demo/{OLD.filename}").content == REPLACEMENT.data
    assert index.get(f"/large/{LARGE.filename}").content == LARGE.data


def assert_changes_fail(index: Index, data: Path, *, status: int, reason: str) -> None:
    before, blobs = state(index), len(stored_blobs(data))
    for what, actual_status, actual_reason in try_changes(index):
        assert actual_status == status, (what, actual_reason)
        assert reason in actual_reason, what
    assert state(index) == before
    wait_for_blobs(blobs, data)
    assert index.server.request("GET", "/healthz").status_code == 200
    assert index.server.request("GET", "/readyz").status_code == 503


def test_a_full_disk_fails_every_change_and_changes_nothing(
    index: Index, data: Path, limit_file_size: LimitFileSize
) -> None:
    with limit_file_size(0):
        assert_changes_fail(index, data, status=507, reason="disk is full")
    assert_changes_succeed(index)


def test_an_upload_larger_than_the_free_space_leaves_no_blobs(
    index: Index, data: Path, limit_file_size: LimitFileSize
) -> None:
    blobs = len(stored_blobs(data))
    with limit_file_size(3 * MEBIBYTE):
        response = index.upload(LARGE)
        assert (response.status_code, "disk is full" in response.reason) == (507, True)
        assert index.get("/large/").status_code == 404
        wait_for_blobs(blobs, data)
        index.publish(wheel("new"))
    index.publish(LARGE)
    assert index.file(LARGE, "large").content == LARGE.data


def test_an_upload_leaves_no_blobs_if_its_document_cannot_be_written(
    index: Index, data: Path, limit_file_size: LimitFileSize
) -> None:
    for number in range(20):
        index.publish(wheel(version=f"{number}.1"))
    blobs = len(stored_blobs(data))
    with limit_file_size(2 * KIBIBYTE):
        response = index.upload(wheel(version="21.0"))
        assert (response.status_code, "disk is full" in response.reason) == (507, True)
        wait_for_blobs(blobs, data)
        assert len(index.files()) == 21
        # The document of a new project is smaller, and fits.
        index.publish(wheel("new"))
    index.publish(wheel(version="21.0"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("this system has no mount command")
    options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run([mount, *options], check=False, capture_output=True).returncode:
        pytest.skip("mounting a disk requires root")
    yield folder
    subprocess.run([unmount, "--lazy", folder], check=True)


def test_a_disk_that_fills_up_fails_uploads_and_serves_earlier_files(
    small_disk: Path, start_server: StartServer
) -> None:
    server = Server(start_server("--data", small_disk / "data"))
    index = server.repository()
    accepted = []
    for number in range(20):
        archive = wheel(version=f"{number}.0", padding=600 * KIBIBYTE)
        response = index.upload(archive)
        if response.status_code != 200:
            assert (response.status_code, "disk is full" in response.reason) == (507, True)
            break
        accepted.append(archive)
    assert 3 <= len(accepted) < 8
    assert index.upload(LARGE).status_code == 507
    for archive in accepted:
        assert index.file(archive).content == archive.data
    assert len(index.files()) == len(accepted)
    process = server.process
    server.close()
    assert process.stop() == 0
    server = Server(start_server("--data", small_disk / "data"))
    again = Index(server, index.name, index.username, index.password)
    assert len(again.files()) == len(accepted)
    server.api_json("DELETE", f"/repositories/{index.name}")
    other = server.repository()
    other.publish(wheel(padding=600 * KIBIBYTE))
    server.close()


def test_a_folder_that_cannot_be_written_fails_every_change_and_changes_nothing(
    index: Index, data: Path
) -> None:
    store, aside = data / "store", data / "aside"
    state(index)
    store.rename(aside)
    # A file in place of the folder, so that even root cannot write to it.
    store.touch()
    try:
        for what, status, reason in try_changes(index):
            assert status == 503, (what, reason)
            assert "nothing was changed" in reason
        assert index.server.request("GET", "/readyz").status_code == 503
        assert index.get("/demo/").status_code == 200
    finally:
        store.unlink()
        aside.rename(store)
    assert_changes_succeed(index)


def test_the_portal_reports_a_full_disk(index: Index, limit_file_size: LimitFileSize) -> None:
    browser = Browser(index.server)
    browser.sign_in(*index.server.admin)
    before = index.api_json("GET")
    with limit_file_size(0):
        page = browser.upload(index.name, REPLACEMENT, wheel("new"), status=507)
        assert "disk is full" in page.text
        page = browser.submit("/portal/create-repository", name="another", status=507)
        assert "disk is full" in page.text
    assert index.api_json("GET") == before
    assert index.get(f"/demo/{OLD.filename}").content == OLD.data
    browser.upload(index.name, REPLACEMENT)
    assert index.get(f"/demo/{OLD.filename}").content == REPLACEMENT.data
