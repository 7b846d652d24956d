"""`cloudrepo-server sweep` on a shared store deletes unreferenced objects, and nothing else."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.object_stores.engines import Engine
from tests.support.object_stores.sweep import Sweep
from tests.support.raw import connect, request
from tests.support.wait import wait_until

MEBIBYTE = 1 << 20


def test_sweep_keeps_everything_in_use(index: Index, index_on_second: Index, sweep: Sweep) -> None:
    archives = wheel(), wheel("large", padding=12 * MEBIBYTE), wheel(version="2.0")
    index.publish(*archives)
    index.api_json("PATCH", f"/files/{wheel().filename}", {"yanked": "it broke"})
    token = index.token()["token"]
    before = sweep.keys
    sweep()
    assert sweep.keys == before
    for archive in archives:
        project = archive.filename.partition("-")[0]
        assert index_on_second.file(archive, project).content == archive.data
    assert index_on_second.request("GET", "/demo/", auth=("any", token)).status_code == 200


def test_sweep_deletes_unreferenced_objects_by_age(
    index: Index, engine: Engine, sweep: Sweep
) -> None:
    """Replaced and deleted files, leftovers of a killed server, and tombstones of documents."""
    index.publish(wheel(), wheel("other"))
    index.publish(wheel(module="x = 2\n"))
    index.api_json("DELETE", f"/files/{wheel('other').filename}")
    deleted = index.server.repository()
    deleted.publish(wheel())
    deleted.api_json("DELETE")
    index.server.api_json("DELETE", f"/users/{deleted.username}")
    wait_until(
        lambda: len([key for key in sweep.keys if key.startswith("blobs/")]) == 6,
        "the deleted repository's blobs to be deleted",
    )
    prefix = sweep.url.partition("://")[2].partition("/")[2]
    (folder,) = {key.rpartition("/")[0] for key in sweep.keys if key.startswith("blobs/")}
    obstore.put(engine.store(), f"{prefix}/{folder}/leftover", b"of a killed server")
    before = sweep.keys
    sweep("1h")
    assert sweep.keys == before
    sweep()
    remaining = sorted(key.partition("/")[0] for key in sweep.keys)
    assert remaining == ["blobs", "blobs", "projects", "repositories", "users"]
    assert index.file(wheel()).content == wheel(module="x = 2\n").data
    # The deleted names can be used again.
    index.publish(wheel("other"))
    assert index.file(wheel("other"), "other").content == wheel("other").data
    index.server.api_json("POST", "/repositories", {"name": deleted.name})
    index.server.api_json("POST", "/users", {"email": deleted.username})


def test_sweep_keeps_the_parts_of_an_upload_in_progress(index: Index, sweep: Sweep) -> None:
    large = wheel("large", padding=12 * MEBIBYTE)
    form = encode(fields(large))
    headers = {**index.authorization, "Content-Type": form.content_type}
    whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
    with connect(index.url, seconds=60) as connection:
        connection.send(whole[:-100])
        sweep("1h")
        connection.send(whole[-100:])
        assert connection.read_response().status == 200
    assert index.file(large, "large").content == large.data


@contextlib.contextmanager
def continuous_sweeps(sweep: Sweep, older_than: str) -> Iterator[None]:
    """Run sweeps all the time, two at once."""
    stopped = threading.Event()

    def sweep_repeatedly() -> None:
        while not stopped.is_set():
            sweep(older_than)

    with ThreadPoolExecutor(2) as pool:
        sweeping = [pool.submit(sweep_repeatedly) for _ in range(2)]
        try:
            yield
        finally:
            stopped.set()
        for each in sweeping:
            each.result()


def test_files_stay_complete_while_sweeps_run(
    index: Index, index_on_second: Index, sweep: Sweep
) -> None:
    index.publish(wheel("stays"))
    # The age is longer than an upload takes.
    with continuous_sweeps(sweep, "5s"):
        for number in range(30):
            archive = wheel("short-lived", module=f"x = {number}\n")
            index.publish(archive)
            assert index_on_second.file(archive, "short-lived").content == archive.data
            index_on_second.api_json("DELETE", f"/files/{archive.filename}")
            assert index.get("/short-lived/").status_code == 404
    assert index.file(wheel("stays"), "stays").content == wheel("stays").data


def test_recreated_users_are_not_lost_while_sweeps_run(
    index: Index, index_on_second: Index, sweep: Sweep
) -> None:
    """A sweep may purge a user's tombstone at any moment."""
    first_server, second_server = index.server, index_on_second.server
    email = "recreated@example.com"
    with continuous_sweeps(sweep, "0s"):
        for server, other_index in ((first_server, index_on_second), (second_server, index)) * 15:
            login = server.user(email=email)
            for each in (index_on_second, index):
                assert each.request("GET", "/", auth=login).status_code == 200
            other_index.server.api_json("DELETE", f"/users/{email}")


def test_sweep_deletes_leftovers_of_sessions_by_age(first_server: Server, sweep: Sweep) -> None:
    for name, run in (("leftover", "a-session"), ("kept", None)):
        first_server.api_json("POST", "/repositories", {"name": name, "run": run})
        first_server.api_json("POST", "/users", {"email": f"{name}@example.com", "run": run})
    assert "repositories: 0, users: 0 " in sweep("0s", "--runs-older-than", "1d")
    assert "repositories: 1, users: 1 " in sweep("0s", "--runs-older-than", "0s")
    assert [
        each["name"] for each in first_server.api_json("GET", "/repositories")["repositories"]
    ] == ["kept"]
    assert [each["email"] for each in first_server.api_json("GET", "/users")["users"]] == [
        "kept@example.com"
    ]


def test_ages_are_measured_by_the_clock_of_the_store(
    first_server: Server, sweep: Sweep, engine: Engine, url: str
) -> None:
    """A creation time that a server with a wrong clock wrote does not matter."""
    first_server.api_json("POST", "/repositories", {"name": "demo", "run": "active"})
    key = "repositories/@demo.json"
    long_ago = {**engine.document(url, key), "created": "2020-01-01T00:00:00.000000Z"}
    prefix = url.partition("://")[2].partition("/")[2]
    obstore.put(engine.store(), f"{prefix}/{key}", json.dumps(long_ago).encode())
    assert "repositories: 0, users: 0 " in sweep("0s", "--runs-older-than", "1h")
    assert first_server.api_json("GET", "/repositories/demo")["created"] == long_ago["created"]


def test_sweep_rejects_a_prefix_that_no_server_has_used(sweep: Sweep) -> None:
    with pytest.raises(AssertionError, match=f"no store of a server found at {sweep.url}: "):
        sweep()
    assert sweep.engine.keys(sweep.url) == set()


def test_sweep_of_a_local_folder(tmp_path: Path, sweep: Sweep) -> None:
    leftover = tmp_path / "store" / "blobs" / "deleted" / "leftover"
    leftover.parent.mkdir(parents=True)
    (tmp_path / "store").chmod(0o700)  # as the server creates it
    leftover.write_bytes(b"of a killed server")
    sweep.url = str(tmp_path)
    assert "leftovers of deleted repositories: 1" in sweep()
    assert not leftover.exists()
