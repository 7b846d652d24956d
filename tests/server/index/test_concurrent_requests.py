"""Many clients at once: one of them wins where one can, and no change is lost where all can."""

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
from tests.support.http_connection import Answer, Asking
from tests.support.index import Index, Server
from tests.support.raw import connect, request
from tests.support.server_fixtures import StartServer

MANY = 50
SOME = 16
LAST = 100

T = TypeVar("T")


def at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """What each gives, all of them begun at the same moment."""
    ready = threading.Barrier(len(works))

    def begin(work: Callable[[], T]) -> T:
        ready.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(begin, works))


def api(server: Server, method: str, path: str, json: object = None) -> Answer:
    """Ask the admin API on a connection of its own."""
    with Asking(server.url) as asking:
        return asking.ask(method, "/api" + path, login=server.admin, json=json)


def statuses(answers: Sequence[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_of_fifty_uploads_of_one_name_one_is_taken(
    tmp_path: Path, start_server: StartServer, padding: int
) -> None:
    data = tmp_path / "data"
    server = Server(start_server("--data", data))
    index = server.repository(overwrite_protection=True)
    whole = wheel(padding=padding).data
    # A wheel may have bytes before it.
    archives = [Archive(wheel().filename, b"%03d" % each + whole) for each in range(MANY)]
    with ExitStack() as open_:
        connections = [open_.enter_context(connect(index.url, seconds=120)) for _ in archives]
        ends = []
        for connection, archive in zip(connections, archives, strict=True):
            form = encode(fields(archive))
            headers = {**index.authorization, "Content-Type": form.content_type}
            sent = request(f"POST {index.path} HTTP/1.1", headers, form.body)
            connection.send(sent[:-LAST])
            ends.append(sent[-LAST:])
        # Every one of them has been seen, and none whole.
        for connection, end in zip(connections, ends, strict=True):
            connection.send(end)
        answers = [connection.read_response() for connection in connections]
    assert Counter(answer.status for answer in answers) == {200: 1, 409: MANY - 1}
    assert all("already exists" in each.reason for each in answers if each.status == 409)
    (winner,) = (
        archive for archive, answer in zip(archives, answers, strict=True) if answer.status == 200
    )
    assert index.file(winner).content == winner.data
    assert index.files()[winner.filename]["hashes"] == {"sha256": winner.sha256}
    wait_for_blobs(2, data)
    server.close()


def test_of_many_changes_of_settings_none_is_lost(index: Index) -> None:
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
        assert statuses(at_once(changes)) == {200: len(wanted)}
        settings = index.done("GET")
        assert {key: settings[key] for key in wanted} == wanted


def test_of_many_changes_of_a_user_none_is_lost(index: Index) -> None:
    """A new passphrase is hashed for long, while others change what else there is."""
    path = f"/users/{index.username}"
    for read_only in (True, False, True):
        passphrase = f"another passphrase, {read_only}"
        changes = [
            partial(api, index.server, "PATCH", path, {"passphrase": passphrase}),
            partial(api, index.server, "PATCH", path, {"read_only": read_only}),
        ]
        assert statuses(at_once(changes)) == {200: 2}
        login = (index.username, passphrase)
        assert index.request("GET", "/", auth=login).status_code == 200
        told = {each["email"]: each for each in index.server.done("GET", "/users")["users"]}
        assert told[index.username]["read_only"] is read_only


@pytest.mark.parametrize(
    ("method", "path", "body", "won", "lost"),
    [
        ("POST", "/repositories", {"name": "contested"}, 201, 409),
        ("DELETE", "/repositories/contested", None, 204, 404),
        ("POST", "/users", {"email": "contested@example.com"}, 201, 409),
        ("DELETE", "/users/contested@example.com", None, 204, 404),
    ],
)
def test_what_can_be_made_or_deleted_once_is(
    server: Server, method: str, path: str, body: dict[str, str] | None, won: int, lost: int
) -> None:
    if method == "DELETE":
        name = path.rpartition("/")[2]
        made = {"email": name} if "@" in name else {"name": name}
        api(server, "POST", path.rpartition("/")[0], made)
    asked = [partial(api, server, method, path, body)] * SOME
    assert statuses(at_once(asked)) == {won: 1, lost: SOME - 1}


def test_tokens_are_all_made_and_each_is_revoked_once(index: Index) -> None:
    server = index.server
    make = partial(api, server, "POST", "/tokens", {"repository": index.name})
    made = at_once([make] * SOME)
    assert statuses(made) == {201: SOME}
    tokens = {answer.json()["id"]: answer.json()["token"] for answer in made}
    assert len(tokens) == SOME
    known = {each["id"] for each in server.done("GET", "/tokens")["tokens"]}
    assert set(tokens) <= known
    revoked = list(tokens)[: SOME // 2]
    deletions = [partial(api, server, "DELETE", f"/tokens/{each}") for each in revoked] * 2
    assert statuses(at_once(deletions)) == {204: len(revoked), 404: len(revoked)}
    for each, token in tokens.items():
        status = index.request("GET", "/", auth=("any", token)).status_code
        assert status == (401 if each in revoked else 200)


def test_of_many_yanks_uploads_and_deletions_in_one_project_none_is_lost(index: Index) -> None:
    yanked, deleted, new = (
        [wheel(version=f"{major}.{minor}") for minor in range(SOME)] for major in range(3)
    )
    index.publish(*yanked, *deleted)
    files = f"/repositories/{index.name}/files"

    def upload(archive: Archive) -> Answer:
        form = encode(fields(archive))
        with Asking(index.server.url) as asking:
            headers = {"Content-Type": form.content_type}
            return asking.ask("POST", index.path, login=index.auth, body=form.body, headers=headers)

    works = [
        work
        for one, other, third in zip(yanked, deleted, new, strict=True)
        for work in (
            partial(
                api, index.server, "PATCH", f"{files}/{one.filename}", {"yanked": one.filename}
            ),
            partial(api, index.server, "DELETE", f"{files}/{other.filename}"),
            partial(upload, third),
        )
    ]
    assert statuses(at_once(works)) == {200: 2 * SOME, 204: SOME}
    found = index.files()
    assert set(found) == {archive.filename for archive in (*yanked, *new)}
    assert [found[each.filename]["yanked"] for each in yanked] == [each.filename for each in yanked]
    assert not any(found[each.filename].get("yanked") for each in new)


def test_uploads_into_a_repository_that_is_deleted_leave_nothing(
    tmp_path: Path, start_server: StartServer
) -> None:
    data = tmp_path / "data"
    server = Server(start_server("--data", data))
    for turn in range(5):
        index = server.repository("contested")

        def upload(number: int, index: Index = index) -> int:
            archive = wheel(version=f"{number}.0", padding=(2 << 20) * (number % 2))
            form = encode(fields(archive))
            headers = {"Content-Type": form.content_type}
            with Asking(server.url) as asking:
                answer = asking.ask(
                    "POST", index.path, login=index.auth, body=form.body, headers=headers
                )
                return answer.status

        def delete() -> int:
            return api(server, "DELETE", "/repositories/contested").status

        works: list[Callable[[], int]] = [partial(upload, number) for number in range(6)]
        found = at_once([*works[:3], delete, *works[3:]])
        assert set(found) <= {200, 204, 404}, (turn, found)
        assert found[3] == 204
        assert server.repository("contested").json("/")["projects"] == []
        assert api(server, "DELETE", "/repositories/contested").status == 204
        wait_for_blobs(0, data)
        left = {path for path in (data / "store" / "projects").rglob("*") if path.is_file()}
        assert left == set(), (stored_blobs(data), left)
    server.close()
