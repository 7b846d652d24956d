"""Concurrent requests: exactly one of several conflicting ones succeeds, and no change is lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.archives import Archive, wheel
from tests.support.data_folder import stored_blobs, wait_for_blobs
from tests.support.forms import encode, fields
from tests.support.http_connection import KeptConnection, Response
from tests.support.index import Index, Server
from tests.support.raw import connect, request
from tests.support.server_fixtures import StartServer

UPLOADS = 50
CLIENTS = 16
HELD_BACK = 100

T = TypeVar("T")


def run_concurrently(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Call all functions at the same time; return their results."""
    ready = threading.Barrier(len(calls))

    def start(call: Callable[[], T]) -> T:
        ready.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(start, calls))


def api(server: Server, method: str, path: str, json: object = None) -> Response:
    """Send a request to the admin API on a connection of its own."""
    with KeptConnection(server.url) as connection:
        return connection.request(method, "/api" + path, login=server.admin, json=json)


def statuses(responses: Sequence[Response]) -> Counter[int]:
    return Counter(response.status for response in responses)


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_exactly_one_of_fifty_uploads_of_one_name_succeeds(
    tmp_path: Path, start_server: StartServer, padding: int
) -> None:
    data = tmp_path / "data"
    server = Server(start_server("--data", data))
    index = server.repository(overwrite_protection=True)
    whole = wheel(padding=padding).data
    # A zip file may have a prefix, which makes each wheel different.
    archives = [Archive(wheel().filename, b"%03d" % each + whole) for each in range(UPLOADS)]
    with ExitStack() as open_:
        connections = [open_.enter_context(connect(index.url, seconds=120)) for _ in archives]
        ends = []
        for connection, archive in zip(connections, archives, strict=True):
            form = encode(fields(archive))
            headers = {**index.authorization, "Content-Type": form.content_type}
            sent = request(f"POST {index.path} HTTP/1.1", headers, form.body)
            connection.send(sent[:-HELD_BACK])
            ends.append(sent[-HELD_BACK:])
        # The server has begun to read every upload, and none is complete.
        for connection, end in zip(connections, ends, strict=True):
            connection.send(end)
        responses = [connection.read_response() for connection in connections]
    assert Counter(response.status for response in responses) == {200: 1, 409: UPLOADS - 1}
    assert all("already exists" in each.reason for each in responses if each.status == 409)
    (published,) = (
        archive
        for archive, response in zip(archives, responses, strict=True)
        if response.status == 200
    )
    assert index.file(published).content == published.data
    assert index.files()[published.filename]["hashes"] == {"sha256": published.sha256}
    wait_for_blobs(2, data)
    server.close()


def test_no_concurrent_change_of_settings_is_lost(index: Index) -> None:
    path = f"/repositories/{index.name}"
    for size in range(5):
        wanted = {
            "overwrite_protection": size % 2 == 0,
            "public": size % 2 == 0,
            "max_file_size": size,
            "dialect": ("pypi", "modern")[size % 2],
            "upstream_strategy": ("best-version", "first-match")[size % 2],
        }
        changes = [
            partial(api, index.server, "PATCH", path, {key: value}) for key, value in wanted.items()
        ]
        assert statuses(run_concurrently(changes)) == {200: len(wanted)}
        settings = index.api_json("GET")
        assert {key: settings[key] for key in wanted} == wanted


def test_no_concurrent_change_of_a_user_is_lost(index: Index) -> None:
    """Hashing a passphrase takes long; the permission changes in the meantime."""
    path = f"/users/{index.username}"
    for read_only in (True, False, True):
        passphrase = f"another passphrase, {read_only}"
        changes = [
            partial(api, index.server, "PATCH", path, {"passphrase": passphrase}),
            partial(api, index.server, "PATCH", path, {"read_only": read_only}),
        ]
        assert statuses(run_concurrently(changes)) == {200: 2}
        login = (index.username, passphrase)
        assert index.request("GET", "/", auth=login).status_code == 200
        listed = {each["email"]: each for each in index.server.api_json("GET", "/users")["users"]}
        assert listed[index.username]["read_only"] is read_only


@pytest.mark.parametrize(
    ("method", "path", "body", "success", "conflict"),
    [
        ("POST", "/repositories", {"name": "contested"}, 201, 409),
        ("DELETE", "/repositories/contested", None, 204, 404),
        ("POST", "/users", {"email": "contested@example.com"}, 201, 409),
        ("DELETE", "/users/contested@example.com", None, 204, 404),
    ],
)
def test_exactly_one_concurrent_creation_or_deletion_succeeds(
    server: Server, method: str, path: str, body: dict[str, str] | None, success: int, conflict: int
) -> None:
    if method == "DELETE":
        name = path.rpartition("/")[2]
        created = {"email": name} if "@" in name else {"name": name}
        api(server, "POST", path.rpartition("/")[0], created)
    requests = [partial(api, server, method, path, body)] * CLIENTS
    assert statuses(run_concurrently(requests)) == {success: 1, conflict: CLIENTS - 1}


def test_all_tokens_are_created_and_each_is_revoked_once(index: Index) -> None:
    server = index.server
    make = partial(api, server, "POST", "/tokens", {"repository": index.name})
    created = run_concurrently([make] * CLIENTS)
    assert statuses(created) == {201: CLIENTS}
    tokens = {response.json()["id"]: response.json()["token"] for response in created}
    assert len(tokens) == CLIENTS
    known = {each["id"] for each in server.api_json("GET", "/tokens")["tokens"]}
    assert set(tokens) <= known
    revoked = list(tokens)[: CLIENTS // 2]
    deletions = [partial(api, server, "DELETE", f"/tokens/{each}") for each in revoked] * 2
    assert statuses(run_concurrently(deletions)) == {204: len(revoked), 404: len(revoked)}
    for each, token in tokens.items():
        status = index.request("GET", "/", auth=("any", token)).status_code
        assert status == (401 if each in revoked else 200)


def test_no_concurrent_yank_upload_or_deletion_in_one_project_is_lost(index: Index) -> None:
    yanked, deleted, new = (
        [wheel(version=f"{major}.{minor}") for minor in range(CLIENTS)] for major in range(3)
    )
    index.publish(*yanked, *deleted)
    files = f"/repositories/{index.name}/files"

    def upload(archive: Archive) -> Response:
        form = encode(fields(archive))
        with KeptConnection(index.server.url) as connection:
            headers = {"Content-Type": form.content_type}
            return connection.request(
                "POST", index.path, login=index.auth, body=form.body, headers=headers
            )

    calls = [
        call
        for yank, delete, upload_ in zip(yanked, deleted, new, strict=True)
        for call in (
            partial(
                api, index.server, "PATCH", f"{files}/{yank.filename}", {"yanked": yank.filename}
            ),
            partial(api, index.server, "DELETE", f"{files}/{delete.filename}"),
            partial(upload, upload_),
        )
    ]
    assert statuses(run_concurrently(calls)) == {200: 2 * CLIENTS, 204: CLIENTS}
    found = index.files()
    assert set(found) == {archive.filename for archive in (*yanked, *new)}
    assert [found[each.filename]["yanked"] for each in yanked] == [each.filename for each in yanked]
    assert not any(found[each.filename].get("yanked") for each in new)


def test_uploads_to_a_repository_that_is_deleted_leave_no_blobs_and_no_documents(
    tmp_path: Path, start_server: StartServer
) -> None:
    data = tmp_path / "data"
    server = Server(start_server("--data", data))
    for attempt in range(5):
        index = server.repository("contested")

        def upload(number: int, index: Index = index) -> int:
            archive = wheel(version=f"{number}.0", padding=(2 << 20) * (number % 2))
            form = encode(fields(archive))
            headers = {"Content-Type": form.content_type}
            with KeptConnection(server.url) as connection:
                response = connection.request(
                    "POST", index.path, login=index.auth, body=form.body, headers=headers
                )
                return response.status

        def delete() -> int:
            return api(server, "DELETE", "/repositories/contested").status

        calls: list[Callable[[], int]] = [partial(upload, number) for number in range(6)]
        found = run_concurrently([*calls[:3], delete, *calls[3:]])
        assert set(found) <= {200, 204, 404}, (attempt, found)
        assert found[3] == 204
        assert server.repository("contested").json("/")["projects"] == []
        assert api(server, "DELETE", "/repositories/contested").status == 204
        wait_for_blobs(0, data)
        left = {path for path in (data / "store" / "projects").rglob("*") if path.is_file()}
        assert left == set(), (stored_blobs(data), left)
    server.close()
