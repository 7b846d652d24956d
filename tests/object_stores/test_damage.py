"""Damaged documents of a shared store are listed, and can be deleted through any server."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import obstore
import pytest

from cloudrepo_server.limits import MAX_READ_DOCUMENT
from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.object_stores.engines import Engine, MiniStack
from tests.support.object_stores.sweep import Sweep
from tests.support.portal.browser import Browser

KINDS = ("projects", "repositories", "sessions", "tokens", "users")
CUT_OFF = (b"", b'{"revision":"0123456789abcdef","name"', b"x" * 90)


@pytest.fixture
def replace(engine: Engine, url: str) -> Callable[[str, bytes], str]:
    """A function that replaces the only object whose key ends with a text, and returns its key."""

    def replace(end: str, content: bytes) -> str:
        (key,) = (key for key in engine.keys(url) if key.endswith(end))
        obstore.put(engine.store(), f"{urlsplit(url).path.strip('/')}/{key}", content)
        return key

    return replace


def test_a_document_that_was_cut_off_is_damaged_and_not_deleted(
    index: Index, index_on_second: Index, replace: Callable[[str, bytes], str], sweep: Sweep
) -> None:
    server = index_on_second.server
    for content in CUT_OFF:
        index.publish(wheel(), wheel("other"))
        key = replace("/p-demo.json", content)
        response = index_on_second.get("/demo/")
        assert response.status_code == 503, content
        assert f"the stored document {key} cannot be read" in response.reason
        assert index_on_second.upload(wheel()).status_code == 503
        (damaged,) = server.api_json("GET", "/damaged")["damaged"]
        assert damaged["key"] == key
        assert server.api("DELETE", f"/damaged/{quote(key, safe='')}").status_code == 204
        assert index.server.api_json("GET", "/damaged") == {"damaged": []}
        index.publish(wheel())
        assert index_on_second.file(wheel()).content == wheel().data
    # The files of the project are kept until its document is restored or deleted.
    replace("/p-demo.json", b"")
    before = sweep.keys
    sweep(status=1)
    assert sweep.keys == before


def test_the_files_of_a_repository_with_an_emptied_document_are_kept(
    index: Index,
    index_on_second: Index,
    engine: Engine,
    url: str,
    replace: Callable[[str, bytes], str],
    sweep: Sweep,
) -> None:
    index.publish(wheel())
    (key,) = (key for key in engine.keys(url) if key.endswith(f"@{index.name}.json"))
    backup = json.dumps(engine.document(url, key)).encode()
    replace(key, b"")
    server = index_on_second.server
    assert index_on_second.get("/demo/").status_code == 503
    assert server.api("POST", "/repositories", {"name": index.name}).status_code == 503
    before = sweep.keys
    sweep(status=1)
    assert sweep.keys == before
    replace(key, backup)
    assert index_on_second.file(wheel()).content == wheel().data


def test_a_document_that_is_too_large_is_damaged_and_takes_no_memory(
    index: Index, index_on_second: Index, replace: Callable[[str, bytes], str]
) -> None:
    index.publish(wheel())
    size = MAX_READ_DOCUMENT + 1
    key = replace("/p-demo.json", b"[" * size)
    assert index_on_second.get("/demo/").status_code == 503
    (damaged,) = index_on_second.server.api_json("GET", "/damaged")["damaged"]
    assert damaged["key"] == key
    assert f"it has {size} bytes, and the limit is {MAX_READ_DOCUMENT}" in damaged["reason"]


def test_a_key_that_is_not_valid_is_named_in_the_log(
    index: Index, engine: Engine, url: str
) -> None:
    if not isinstance(engine, MiniStack):
        pytest.skip("other stores need a signature, which obstore creates for valid keys only")
    index.publish(wheel())
    (key,) = (key for key in engine.keys(url) if key.endswith("/p-demo.json"))
    prefix = f"{urlsplit(url).path}/{key.rpartition('/')[0]}//hostile.json"
    request = urllib.request.Request(  # noqa: S310 (loopback)
        f"{engine.endpoint}/bucket{prefix}", data=b"x", method="PUT"
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 (loopback)
    response = index.get("/")
    assert response.status_code == 503
    assert "the store has an object with an invalid key" in response.reason
    assert "//hostile.json" in index.server.process.log
    # Requests that need no list are not affected.
    assert index.get("/demo/").status_code == 200
    index.publish(wheel("other"))


def test_a_damaged_document_is_listed_and_deleted(
    index: Index, index_on_second: Index, engine: Engine, url: str
) -> None:
    index.publish(wheel(), wheel("other"))
    (key,) = (key for key in engine.keys(url) if key.endswith("/p-demo.json"))
    prefix = urlsplit(url).path.strip("/")
    obstore.put(engine.store(), f"{prefix}/{key}", b"[" * 1000)
    assert index_on_second.get("/demo/").status_code == 503
    (damaged,) = index_on_second.server.api_json("GET", "/damaged")["damaged"]
    assert (damaged["kind"], damaged["key"]) == ("project", key)
    assert f"the stored document {key} cannot be read" in damaged["reason"]

    path = f"/damaged/{quote(key, safe='')}"
    assert index_on_second.server.api("DELETE", path).status_code == 204
    assert index_on_second.server.api("DELETE", path).status_code == 404
    for each in (index, index_on_second):
        assert each.server.api_json("GET", "/damaged") == {"damaged": []}
        assert each.get("/demo/").status_code == 404
        assert each.file(wheel("other"), "other").content == wheel("other").data
    index.publish(wheel())
    assert index_on_second.file(wheel()).content == wheel().data


@pytest.mark.parametrize("content", [b"", b"[" * 1000], ids=["emptied", "nested"])
def test_damaged_documents_of_all_kinds_affect_nothing_else(
    index: Index,
    index_on_second: Index,
    engine: Engine,
    url: str,
    replace: Callable[[str, bytes], str],
    content: bytes,
) -> None:
    index.publish(wheel())
    before = engine.keys(url)
    victim = index.server.repository()
    victim.publish(wheel("victim"))
    token = victim.token()["token"]
    browser = Browser(index.server)
    browser.sign_in(*index.server.admin)
    keys = {key for key in engine.keys(url) - before if key.startswith(KINDS)}
    assert {key.partition("/")[0] for key in keys} == set(KINDS)
    for key in keys:
        replace(key, content)

    server = index_on_second.server
    repositories = server.api_json("GET", "/repositories")["repositories"]
    assert [each["name"] for each in repositories] == [index.name]
    assert [each["email"] for each in server.api_json("GET", "/users")["users"]] == [index.username]
    assert server.api_json("GET", "/tokens")["tokens"] == []
    # Damaged credentials are rejected, and a damaged session has ended.
    for auth in (victim.auth, ("", token)):
        assert index_on_second.request("GET", "/", auth=auth).status_code == 401
    browser.server = server
    assert browser.get("/portal/").path == "/portal/sign-in"
    for key in keys:
        if not key.startswith("projects/"):
            assert f"the stored document {key} cannot be read" in server.process.log
    assert {each["key"] for each in server.api_json("GET", "/damaged")["damaged"]} == keys

    # The sign-in deletes damaged sessions.
    assert browser.sign_in(*server.admin).path == "/portal/"
    browser.close()
    for each in server.api_json("GET", "/damaged")["damaged"]:
        assert server.api("DELETE", f"/damaged/{quote(each['key'], safe='')}").status_code == 204
        keys.remove(each["key"])
    assert {key.partition("/")[0] for key in keys} == {"sessions"}
    assert index_on_second.file(wheel()).content == wheel().data
    index_on_second.publish(wheel("more"))


def test_undamaged_and_deleted_documents_are_not_deleted_as_damaged(
    index: Index, engine: Engine, url: str
) -> None:
    index.publish(wheel(), wheel("other"))
    keys = [key for key in engine.keys(url) if key.endswith(("/p-demo.json", "/p-other.json"))]
    index.api_json("DELETE", f"/files/{wheel('other').filename}")
    assert len(keys) == 2
    for key in keys:
        assert index.server.api("DELETE", f"/damaged/{quote(key, safe='')}").status_code == 404
    assert index.server.api_json("GET", "/damaged") == {"damaged": []}
    assert index.file(wheel()).content == wheel().data
