"""The store fails: what can be tried again is, what cannot is told; and no file is half there."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.object_stores.engines import Engine, MiniStack
from tests.support.object_stores.fixtures import Serve, seen_from
from tests.support.object_stores.flaky_network import Fate, Judge, Way, passes
from tests.support.raw import connect, request
from tests.support.wait import wait_until

# A server gives up a store that says nothing in about 10 s; the machine may be slow.
SECONDS = 60.0


@pytest.fixture
def far(serve: Serve, engine: Engine, way: Way) -> Server:
    """The server at the end of that way."""
    return serve(**engine.through(way.port))


@pytest.fixture
def index(far: Server) -> Index:
    return far.repository(overwrite_protection=True)


def once_each(fate: Fate, methods: str, *parts: str) -> Judge:
    """The first request for each path that holds one of these parts meets that fate."""
    seen: Counter[str] = Counter()

    def judge(asked: str, path: str) -> Fate:
        if asked not in methods.split("|") or not any(part in path for part in parts):
            return Fate.PASSES
        seen[path] += 1
        return fate if seen[path] == 1 else Fate.PASSES

    return judge


@pytest.mark.parametrize(
    "fate",
    [
        Fate.LOSES_ITS_ANSWER,
        Fate.IS_REFUSED,
        Fate.IS_CUT,
        Fate.IS_TOLD_TO_WAIT,
        Fate.CONFLICTS,
    ],
)
def test_what_is_written_is_written_once_whatever_becomes_of_the_first_try(
    far: Server, way: Way, fate: Fate
) -> None:
    """And who wrote it is told so, not that somebody else did."""
    documents = ("/users/", "/repositories/", "/projects/")
    # Nothing conflicts with what is written under a key of its own.
    blobs = () if fate is Fate.CONFLICTS else ("/blobs/",)
    way.judge = once_each(fate, "PUT|POST", *documents, *blobs)
    index = far.repository(overwrite_protection=True)
    small, large = wheel(), wheel("large", padding=12 << 20)
    index.publish(small, large, wheel(version="2.0"))
    way.judge = once_each(fate, "PUT", *documents)
    index.done("PATCH", f"/files/{small.filename}", {"yanked": "it broke"})
    way.judge = once_each(fate, "PUT", *documents)
    index.done("DELETE", f"/files/{wheel(version='2.0').filename}")
    assert set(index.files()) == {small.filename}
    assert index.files()[small.filename]["yanked"] == "it broke"
    assert index.file(large, "large").content == large.data
    way.judge = once_each(fate, "PUT", *documents)
    far.done("DELETE", f"/users/{index.username}")
    index.done("DELETE")
    assert way.met(fate) >= 7


@pytest.mark.parametrize(
    "fate", [Fate.GETS_HALF_AN_ANSWER, Fate.LOSES_ITS_ANSWER, Fate.IS_TOLD_TO_WAIT]
)
def test_what_is_read_is_read_again(index: Index, way: Way, fate: Fate) -> None:
    large = wheel("large", padding=12 << 20)
    index.publish(wheel(), large)
    way.judge = once_each(fate, "GET", "/users/", "/repositories/", "/projects/", "/blobs/")
    assert index.file(wheel()).content == wheel().data
    way.judge = once_each(fate, "GET", "/users/", "/repositories/", "/projects/", "/blobs/")
    assert index.file(large, "large").content == large.data
    assert way.met(fate) >= 3


@pytest.mark.parametrize("fate", [Fate.IS_REFUSED, Fate.WAITS, Fate.IS_TOLD_TO_WAIT])
def test_a_store_that_is_gone_is_told_soon_and_without_a_word_of_where_it_is(
    index: Index, other: Server, way: Way, fate: Fate
) -> None:
    index.publish(wheel())
    way.judge = lambda _method, _path: fate
    for answer in (
        index.request("GET", "/demo/", timeout=SECONDS),
        index.request("POST", "", data=b"", timeout=SECONDS),
        index.server.request("GET", "/readyz", timeout=SECONDS),
    ):
        assert answer.status_code == 503, answer.text
        assert "127.0.0.1" not in answer.text + answer.reason
        assert "bucket" not in answer.text + answer.reason
    assert answer.headers.get("Retry-After")
    assert index.server.request("GET", "/healthz").status_code == 200
    # Whoever reaches the store is not held up.
    assert seen_from(other, index).file(wheel()).content == wheel().data
    way.judge = passes
    assert index.file(wheel()).content == wheel().data
    assert index.server.request("GET", "/readyz").status_code == 200
    assert index.upload(wheel(version="2.0")).status_code == 200


def test_an_upload_whose_store_goes_on_the_way_never_was(
    index: Index, other: Server, way: Way, engine: Engine
) -> None:
    """Whichever of its requests is the last to get through."""
    elsewhere, unfinished = seen_from(other, index), engine.unfinished()
    large, small = wheel("large", padding=12 << 20), wheel()
    for archive, project in ((large, "large"), (small, "demo")):
        for through in range(8):
            way.judge = _only_first_writes(through)
            answer = index.post(fields(archive), timeout=SECONDS)
            way.judge = passes
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 200:
                break
            assert answer.headers["Retry-After"]
            page = elsewhere.get(f"/{project}/")
            if page.status_code == 200:
                # It was stored, though the server could not be sure; wholly then.
                break
            assert page.status_code == 404
        else:
            raise AssertionError("there are more writes in an upload than this test thought of")
        assert elsewhere.file(archive, project).content == archive.data
    # Of the tries that failed no part stays that nobody would remove.
    wait_until(lambda: engine.unfinished() <= unfinished, "unfinished uploads to be given up")


def _only_first_writes(number: int) -> Judge:
    passed = 0

    def judge(method: str, _path: str) -> Fate:
        nonlocal passed
        if method not in ("PUT", "POST"):
            return Fate.PASSES
        passed += 1
        return Fate.PASSES if passed <= number else Fate.IS_REFUSED

    return judge


def test_what_was_stored_though_nobody_could_say_so_is_whole(
    index: Index, other: Server, way: Way
) -> None:
    """The last answer is lost, and then the store is gone: the bytes must stay."""
    gone = False

    def judge(method: str, path: str) -> Fate:
        nonlocal gone
        if gone:
            return Fate.IS_REFUSED
        gone = method == "PUT" and "/projects/" in path
        return Fate.LOSES_ITS_ANSWER if gone else Fate.PASSES

    way.judge = judge
    answer = index.post(fields(wheel()), timeout=SECONDS)
    way.judge = passes
    assert answer.status_code == 503
    assert "may or may not have been applied" in answer.reason
    elsewhere = seen_from(other, index)
    assert elsewhere.file(wheel()).content == wheel().data
    assert elsewhere.get(f"/demo/{wheel().filename}.metadata").content == wheel().metadata
    # Who tries again is told that the file is there.
    assert index.upload(wheel()).status_code == 409


def test_a_cut_upload_leaves_nothing(index: Index, engine: Engine, url: str) -> None:
    """Its client goes away, after some of its parts were stored."""
    if not isinstance(engine, MiniStack):
        pytest.skip("this store does not tell what is unfinished")
    before, unfinished = engine.keys(url), engine.unfinished()
    form = encode(fields(wheel("large", padding=24 << 20)))
    with connect(index.url) as connection:
        headers = {**index.authorization, "Content-Type": form.content_type}
        head = request(
            f"POST {index.path} HTTP/1.1", {**headers, "Content-Length": str(len(form.body))}
        )
        connection.send(head + form.body[:-1000])
        wait_until(lambda: engine.unfinished() > unfinished, "a part to arrive")
    wait_until(lambda: engine.unfinished() <= unfinished, "the parts to be given up")
    wait_until(lambda: engine.keys(url) <= before, "the blob to be removed")
