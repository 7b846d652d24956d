"""Each of several equal reads gets the response that a new read would get, and is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

import pytest
import requests
from aiohttp import web

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.limits import REPEATED_BYTES
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.index.reads import Read, Reader
from cloudrepo_server.web.index.repeated_reads import KnownResponse, KnownResponses
from tests.support.archives import wheel
from tests.support.index import JSON, Index, Server
from tests.support.proxy_client import ProxyClient
from tests.support.raw import connect, exchange, request
from tests.support.wait import wait_until

ARCHIVE = wheel("demo", "1.0")
FILE = f"/demo/{ARCHIVE.filename}"
# The head and the body of this response are sent separately.
LARGE = wheel("large", "1.0", padding=300_000)
OWN_HEADERS = {"Date", "X-Request-Id"}


@pytest.fixture
def published(index: Index) -> Index:
    """A repository whose page and file were requested before."""
    index.publish(ARCHIVE, LARGE)
    for _ in range(2):
        for path in ("/demo/", FILE):
            assert index.get(path).status_code == 200
    return index


@pytest.mark.parametrize(
    ("below", "headers"),
    [
        ("/", {}),
        ("/demo/", {}),
        ("/demo/", {"Accept": JSON}),
        ("/demo/", {"If-None-Match": "*"}),
        (FILE, {}),
        (FILE, {"Range": "bytes=2-9"}),
        (FILE + ".metadata", {}),
        (f"/large/{LARGE.filename}", {}),
    ],
)
def test_equal_requests_get_equal_responses(
    published: Index, below: str, headers: dict[str, str]
) -> None:
    responses = [published.request("GET", below, headers=headers) for _ in range(3)]

    first = responses[0]
    for response in responses[1:]:
        assert (response.status_code, response.reason) == (first.status_code, first.reason)
        assert response.content == first.content
        assert response.headers.keys() == first.headers.keys()
        for name in first.headers.keys() - OWN_HEADERS:
            assert response.headers[name] == first.headers[name]
    assert len({response.headers["X-Request-Id"] for response in responses}) == 3


@pytest.mark.parametrize(
    ("below", "reads"),
    [
        ("/demo/", 1),
        (FILE, 1),
        # Long heads would take much memory.
        ("/demo/?" + 5000 * "x", 3),
    ],
)
def test_only_the_first_of_several_equal_requests_reads_the_repository(
    monkeypatch: pytest.MonkeyPatch, below: str, reads: int
) -> None:
    targets: list[str] = []
    original = Reader.read

    async def count(self: Reader, read: Read) -> web.StreamResponse:
        targets.append(read.target.project)
        return await original(self, read)

    async def check() -> None:
        async with running_server(ServerSettings()) as server:
            await server.organization.users.create("ann", passphrase="a-passphrase")
            repository = await server.organization.create_repository("repo")
            staged = repository.stage(ARCHIVE.filename, digests={})
            await staged.write(ARCHIVE.data)
            await repository.publish(staged, DeclaredMetadata(), uploader="ann")
            url = f"{server.url}/repositories/repo{below}"
            with requests.Session() as session:
                session.auth = ("ann", "a-passphrase")
                for _ in range(3):
                    assert (await asyncio.to_thread(session.get, url)).status_code == 200

    monkeypatch.setattr(Reader, "read", count)
    asyncio.run(check())

    assert targets == ["demo"] * reads


def test_each_of_several_equal_requests_has_an_entry_in_the_journal(index: Index) -> None:
    index.add(ARCHIVE)

    for _ in range(3):
        assert index.get(FILE).status_code == 200

    entries = index.journal()
    arrived = [entry.pop("arrived") for entry in entries]
    assert arrived == sorted(set(arrived))
    for entry in entries:
        assert 0 <= entry.pop("seconds") < 60
    assert entries == [entries[0]] * 3
    assert (entries[0]["status"], entries[0]["bytes_sent"]) == (200, len(ARCHIVE.data))


def replace_the_file(index: Index) -> None:
    index.set(overwrite_protection=False)
    index.publish(wheel("demo", "1.0", padding=10))


def delete_the_user(index: Index) -> None:
    path = "/users/" + quote(index.username, safe="")
    assert index.server.api("DELETE", path).status_code == 204


def change_the_passphrase(index: Index) -> None:
    path = "/users/" + quote(index.username, safe="")
    index.server.api_json("PATCH", path, {"passphrase": "another passphrase"})


def add_a_fault(index: Index) -> None:
    index.api_json("POST", "/faults", {"kind": "status", "status": 418})


def delete_the_file(index: Index) -> None:
    assert index.api("DELETE", f"/files/{ARCHIVE.filename}").status_code == 204


def delete_the_repository(index: Index) -> None:
    assert index.api("DELETE").status_code == 204


@pytest.mark.parametrize("below", ["/demo/", FILE])
@pytest.mark.parametrize(
    ("change", "status"),
    [
        (delete_the_user, 401),
        (change_the_passphrase, 401),
        (add_a_fault, 418),
        (delete_the_file, 404),
        (delete_the_repository, 404),
    ],
)
def test_a_change_takes_effect_at_the_next_equal_request(
    published: Index, below: str, change: Callable[[Index], None], status: int
) -> None:
    change(published)

    assert published.get(below).status_code == status


def test_the_next_equal_request_gets_the_new_content_of_a_replaced_file(published: Index) -> None:
    page, file = published.get("/demo/").content, published.get(FILE).content

    replace_the_file(published)

    assert published.get("/demo/").content != page
    assert published.get(FILE).content != file


def test_a_response_that_a_fault_changed_is_not_repeated(published: Index) -> None:
    expected = published.get("/demo/").content
    published.api_json("POST", "/faults", {"kind": "wrong-hash", "times": 1})

    changed = published.get("/demo/").content

    assert changed != expected
    assert [published.get("/demo/").content for _ in range(2)] == [expected] * 2


def test_an_expired_token_is_rejected_although_an_equal_request_succeeded(published: Index) -> None:
    token = published.token(expires_in=3)["token"]

    def status() -> int:
        return published.request("GET", "/demo/", auth=("__token__", token)).status_code

    assert status() == 200
    wait_until(lambda: status() == 401, "the token to expire")


def test_a_page_is_not_repeated_for_a_wrong_passphrase(published: Index) -> None:
    response = published.request("GET", "/demo/", auth=(published.username, "wrong-passphrase"))

    assert response.status_code == 401


def test_a_response_of_an_impersonated_host_is_not_repeated_outside_of_the_proxy(
    server: Server, published: Index
) -> None:
    client = ProxyClient.of(published, "https://pypi.example/simple/")
    headers = {**published.authorization, "User-Agent": "pip"}
    head = request("GET /simple/demo/ HTTP/1.1", headers, host="pypi.example")

    with client.tunnel("pypi.example", 443) as tunnel:
        tunnel.send(head)
        assert tunnel.read_response().status == 200

    assert exchange(server.url, head).status == 404


def test_all_equal_requests_on_one_connection_get_a_response(
    server: Server, published: Index
) -> None:
    head = request(f"GET {published.path}/demo/ HTTP/1.1", published.authorization)

    with connect(server.url) as connection:
        # The client sends all of its requests before it reads a response.
        connection.send(head * 3)
        bodies = [connection.read_response().body for _ in range(3)]

    assert bodies == [bodies[0]] * 3
    assert ARCHIVE.filename.encode() in bodies[0]


def response_of(size: int) -> KnownResponse:
    entry = Entry(method="GET", path="/", user_agent="")
    return KnownResponse(b"", bytes(size), entry, "demo", counts_as_download=False)


def test_the_memory_of_known_responses_is_limited() -> None:
    known = KnownResponses()
    assert known.find(("first",), 1) is None

    for number in range(100):
        known.add((number,), response_of(REPEATED_BYTES // 20), 1)
        assert known.bytes <= REPEATED_BYTES
    known.add(("large",), response_of(REPEATED_BYTES), 1)

    assert known.find((99,), 1) is not None
    assert known.find(("large",), 1) is None


def test_a_response_of_an_earlier_revision_is_not_repeated() -> None:
    known = KnownResponses()
    assert known.find(("page",), 1) is None
    known.add(("page",), response_of(10), 1)
    assert known.find(("page",), 1) is not None

    assert known.find(("page",), 2) is None
    known.add(("page",), response_of(10), 1)

    assert known.find(("page",), 2) is None
