"""`cloudrepo-server sweep` of a shared store: what nobody needs goes, and nothing else."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.object_stores.engines import Engine
from tests.support.object_stores.sweep import Sweep
from tests.support.raw import connect, request
from tests.support.wait import wait_until

MEBIBYTE = 1 << 20


def test_what_is_needed_stays(index: Index, elsewhere: Index, sweep: Sweep) -> None:
    archives = wheel(), wheel("large", padding=12 * MEBIBYTE), wheel(version="2.0")
    index.publish(*archives)
    index.done("PATCH", f"/files/{wheel().filename}", {"yanked": "it broke"})
    token = index.server.done("POST", "/tokens", {"repository": index.name})["token"]
    before = sweep.keys
    sweep()
    assert sweep.keys == before
    for archive in archives:
        project = archive.filename.partition("-")[0]
        assert elsewhere.file(archive, project).content == archive.data
    assert elsewhere.request("GET", "/demo/", auth=("any", token)).status_code == 200


def test_what_nobody_needs_goes_by_age(index: Index, engine: Engine, sweep: Sweep) -> None:
    """Replaced and deleted files, what a killed server left, and the tombstones of documents."""
    index.publish(wheel(), wheel("other"))
    index.publish(wheel(module="x = 2\n"))
    index.done("DELETE", f"/files/{wheel('other').filename}")
    gone = index.server.repository()
    gone.publish(wheel())
    gone.done("DELETE")
    index.server.done("DELETE", f"/users/{gone.username}")
    wait_until(
        lambda: len([key for key in sweep.keys if key.startswith("blobs/")]) == 6,
        "the deleted repository's blobs to be removed",
    )
    prefix = sweep.url.partition("://")[2].partition("/")[2]
    (folder,) = {key.rpartition("/")[0] for key in sweep.keys if key.startswith("blobs/")}
    obstore.put(engine.store(), f"{prefix}/{folder}/left-behind", b"by a killed server")
    before = sweep.keys
    sweep("1h")
    assert sweep.keys == before
    sweep()
    left = sorted(key.partition("/")[0] for key in sweep.keys)
    assert left == ["blobs", "blobs", "projects", "repositories", "users"]
    assert index.file(wheel()).content == wheel(module="x = 2\n").data
    # What was removed can be made again.
    index.publish(wheel("other"))
    assert index.file(wheel("other"), "other").content == wheel("other").data
    index.server.done("POST", "/repositories", {"name": gone.name})
    index.server.done("POST", "/users", {"email": gone.username})


def test_an_upload_under_way_is_left_alone(index: Index, sweep: Sweep) -> None:
    """Its parts, and then its blob, are older than nothing that is swept."""
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
def swept_all_the_while(sweep: Sweep, older_than: str) -> Iterator[None]:
    """Two sweep at once, again and again."""
    ended = threading.Event()

    def sweep_on() -> None:
        while not ended.is_set():
            sweep(older_than)

    with ThreadPoolExecutor(2) as pool:
        sweeping = [pool.submit(sweep_on) for _ in range(2)]
        try:
            yield
        finally:
            ended.set()
        for each in sweeping:
            each.result()


def test_files_that_come_and_go_while_it_sweeps_are_whole(
    index: Index, elsewhere: Index, sweep: Sweep
) -> None:
    index.publish(wheel("stays"))
    # Longer than an upload takes.
    with swept_all_the_while(sweep, "5s"):
        for number in range(30):
            archive = wheel("comes-and-goes", module=f"x = {number}\n")
            index.publish(archive)
            assert elsewhere.file(archive, "comes-and-goes").content == archive.data
            elsewhere.done("DELETE", f"/files/{archive.filename}")
            assert index.get("/comes-and-goes/").status_code == 404
    assert index.file(wheel("stays"), "stays").content == wheel("stays").data


def test_names_that_come_again_while_it_sweeps_are_not_lost(
    index: Index, elsewhere: Index, sweep: Sweep
) -> None:
    """Their tombstones are removed at any moment, as soon as they are there."""
    one, other = index.server, elsewhere.server
    email = "comes-and-goes@example.com"
    with swept_all_the_while(sweep, "0s"):
        for server, beside in ((one, elsewhere), (other, index)) * 15:
            login = server.user(email=email)
            for each in (elsewhere, index):
                assert each.request("GET", "/", auth=login).status_code == 200
            beside.server.done("DELETE", f"/users/{email}")


def test_what_runs_left_goes_by_age(one: Server, sweep: Sweep) -> None:
    for name, run in (("left", "a-run"), ("kept", None)):
        one.done("POST", "/repositories", {"name": name, "run": run})
        one.done("POST", "/users", {"email": f"{name}@example.com", "run": run})
    assert "0 repositories and 0 users" in sweep("0s", "--runs-older-than", "1d")
    assert "1 repositories and 1 users" in sweep("0s", "--runs-older-than", "0s")
    assert [each["name"] for each in one.done("GET", "/repositories")["repositories"]] == ["kept"]
    assert [each["email"] for each in one.done("GET", "/users")["users"]] == ["kept@example.com"]


def test_whose_clock_is_wrong_loses_nothing(
    one: Server, sweep: Sweep, engine: Engine, url: str
) -> None:
    """Servers on several machines say when they made something; the store says how long ago."""
    one.done("POST", "/repositories", {"name": "demo", "run": "lives"})
    key = "repositories/@demo.json"
    long_ago = {**engine.document(url, key), "created": "2020-01-01T00:00:00.000000Z"}
    prefix = url.partition("://")[2].partition("/")[2]
    obstore.put(engine.store(), f"{prefix}/{key}", json.dumps(long_ago).encode())
    assert "0 repositories and 0 users" in sweep("0s", "--runs-older-than", "1h")
    assert one.done("GET", "/repositories/demo")["created"] == long_ago["created"]


def test_a_folder_is_swept_too(tmp_path: Path, sweep: Sweep) -> None:
    left = tmp_path / "store" / "blobs" / "gone" / "left-behind"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"by a killed server")
    sweep.url = str(tmp_path)
    assert "1 deleted repositories" in sweep()
    assert not left.exists()
