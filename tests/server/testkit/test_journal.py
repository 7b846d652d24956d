"""The journal: the requests that a repository received, and its responses."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudrepo_server.limits import (
    JOURNAL_BYTES,
    JOURNAL_ENTRIES,
    JOURNAL_FORM_BYTES,
    JOURNAL_HEADER_BYTES,
    JOURNAL_TEXT,
)
from cloudrepo_server.logs.redaction import redacted_record, set_request_secrets
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.testkit.journal import Entry, Journal, encode_form, encode_headers
from cloudrepo_server.testkit.registry import TestkitRegistry as Registry
from tests.support.archives import wheel
from tests.support.forms import File, encode, fields
from tests.support.index import Index, Server
from tests.support.raw import basic, connect, exchange, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

PASSPHRASE = "correct horse battery staple"


def test_an_upload_is_recorded_with_its_form(index: Index) -> None:
    archive = wheel()
    index.send(
        encode(fields(archive, summary="short", description="x" * 5000)),
        headers={"User-Agent": "twine/7.0.0"},
    )
    (entry,) = index.journal()
    assert entry["method"] == "POST"
    assert entry["path"] == index.path
    assert (entry["project"], entry["filename"]) == ("demo", archive.filename)
    assert (entry["user"], entry["user_agent"]) == (index.username, "twine/7.0.0")
    assert (entry["status"], entry["reason"]) == (200, "OK")
    assert entry["seconds"] >= 0
    assert entry["form"]["summary"] == ["short"]
    assert entry["form"]["sha256_digest"] == [archive.sha256]
    assert "content" not in entry["form"]
    assert len(entry["form"]["description"][0]) < 2000


def test_reads_are_recorded_in_order_with_the_bytes_sent(index: Index) -> None:
    archive = wheel(padding=2 << 20)
    index.publish(archive)
    index.api_json("DELETE", "/requests")
    page = index.get("/demo/", Accept_Encoding="identity")
    path = f"/demo/{archive.filename}"
    index.get(path)
    index.get(path, Range="bytes=0-9")
    index.get(path + ".metadata")
    index.get(path, If_None_Match=f'"{archive.sha256}"')
    index.request("HEAD", path)
    index.get("/nothing/")
    recorded = [
        (entry["method"], entry["status"], entry["project"], entry["filename"], entry["bytes_sent"])
        for entry in index.journal()
    ]
    assert recorded[:6] == [
        ("GET", 200, "demo", None, len(page.content)),
        ("GET", 200, "demo", archive.filename, len(archive.data)),
        ("GET", 206, "demo", archive.filename, 10),
        ("GET", 200, "demo", archive.filename + ".metadata", len(archive.metadata)),
        ("GET", 304, "demo", archive.filename, 0),
        ("HEAD", 200, "demo", archive.filename, 0),
    ]
    assert recorded[6][:4] == ("GET", 404, "nothing", None)
    assert [entry["form"] for entry in index.journal()] == [None] * 7


def test_paths_are_recorded_decoded(server: Server) -> None:
    index = server.repository(dialect="devpi")
    for path in ("/%2Bsimple/demo/", "/demo%2d1/x%25y.whl", "/", ""):
        index.get(path)
    recorded = [entry["path"].removeprefix(index.path) for entry in index.journal()]
    assert recorded == ["/+simple/demo/", "/demo-1/x%y.whl", "/", ""]


def test_rejections_are_recorded_with_their_reason(protected: Index) -> None:
    protected.publish(wheel())
    protected.upload(wheel(module="x = 2\n"))
    protected.request("GET", "/demo/", auth=None)
    protected.request("GET", "/demo/", auth=(protected.username, "wrong-passphrase"))
    _, rejected, anonymous, wrong = protected.journal()
    assert (rejected["status"], rejected["user"]) == (409, protected.username)
    assert "already exists" in rejected["reason"]
    assert rejected["filename"] == wheel().filename
    assert (anonymous["status"], anonymous["user"]) == (401, None)
    assert (wrong["status"], wrong["user"]) == (401, None)


@pytest.mark.parametrize("dialect", ["modern", "nexus", "pypi"])
def test_a_rejection_is_recorded_with_the_reason_that_the_dialect_does_not_send(
    server: Server, dialect: str
) -> None:
    index = server.repository(dialect=dialect, rules="none", overwrite_protection=True)
    index.publish(wheel())
    response = index.upload(wheel(module="x = 2\n"))
    accepted, rejected = index.journal()
    assert (accepted["error"], accepted["rule"]) == (None, None)
    assert rejected["error"] == response.json()["error"]
    assert (rejected["rule"], rejected["advice"]) == ("file-exists", "release a new version")


def test_a_fault_that_changes_a_body_does_not_count_requests_without_one(index: Index) -> None:
    index.publish(wheel())
    for body in ({"kind": "truncate"}, {"kind": "reset", "when": "after"}):
        fault = index.api_json("POST", "/faults", body)
        index.request("HEAD", f"/demo/{wheel().filename}")
        index.get("/demo/missing.whl")
        index.api_json("DELETE", f"/faults/{fault['id']}")
    assert [entry["faults"] for entry in index.journal()[1:]] == [[], [], [], []]


def test_a_rejected_upload_is_recorded_with_its_rule_and_advice(server: Server) -> None:
    index = server.repository(dialect="pypi", max_file_size=2000)
    unknown, large = wheel(), wheel("large", padding=5000)
    index.send(encode(fields(unknown, classifiers="No :: Such")))
    # The form of a file that is too large is not read to its end.
    index.send(encode(fields(large)))
    classifier, file_size = index.journal()
    assert (classifier["filename"], classifier["project"]) == (unknown.filename, "demo")
    assert classifier["rule"] == "classifier"
    assert (file_size["filename"], file_size["project"]) == (large.filename, "large")
    assert file_size["rule"] == "file-size"
    assert "ask PyPI for a higher limit" in file_size["advice"]
    index.send(encode(fields(unknown)))
    assert (index.journal()[-1]["rule"], index.journal()[-1]["advice"]) == (None, None)


def test_an_entry_is_complete_before_the_response_arrives(index: Index) -> None:
    for number in range(1, 20):
        index.get("/")
        assert len(index.journal()) == number


def test_the_journal_is_cleared(index: Index) -> None:
    index.get("/")
    assert index.api("DELETE", "/requests").status_code == 204
    assert index.journal() == []
    index.get("/")
    assert len(index.journal()) == 1


def test_each_repository_has_its_own_journal(index: Index) -> None:
    other = index.server.repository()
    other.get("/")
    assert index.journal() == []
    assert len(other.journal()) == 1


def test_admin_api_requests_are_not_in_the_journal_of_a_repository(index: Index) -> None:
    index.api_json("GET")
    index.api_json("GET", "/projects")
    assert index.journal() == []


def test_any_user_agent_and_form_can_be_recorded(index: Index) -> None:
    headers = {**index.authorization, "User-Agent": "\xff\xfe agent"}
    response = exchange(index.url, request(f"GET {index.path}/ HTTP/1.1", headers))
    assert response.status == 200
    odd = encode([("nämé \x01", "välue"), *fields(wheel(), summary="\x00")])
    index.send(odd)
    binary = encode([("x", File("f", b"\xff")), *fields(wheel())])
    index.send(binary)
    first, second, third = index.journal()
    assert "agent" in first["user_agent"]
    assert second["form"]["summary"] == ["\x00"]
    assert "x" not in third["form"]


def test_an_interrupted_request_is_not_listed(start_server: StartServer) -> None:
    process = start_server("--log-format", "text")
    index = Server(process).repository()
    form = encode(fields(wheel(padding=1 << 20)))
    headers = {**index.authorization, "Content-Type": form.content_type}
    with connect(index.url) as connection:
        connection.send(request(f"POST {index.path} HTTP/1.1", headers, form.body)[:100_000])
        assert index.journal() == []
    wait_until(
        lambda: "status=499" in process.log, "the access log to list the disconnected client"
    )
    index.get("/")
    assert [(entry["method"], entry["status"]) for entry in index.journal()] == [("GET", 200)]
    index.server.close()


def record(journal: Journal, number: int, **details: Any) -> None:  # noqa: ANN401 (any field)
    """Add a request that has a response."""
    user_agent = details.pop("user_agent", "")
    entry = Entry(method="GET", path=f"/{number}", user_agent=user_agent, status=200, **details)
    journal.add(entry)
    journal.settle(entry, anonymous=entry.user is None)


def test_the_journal_keeps_the_newest_requests() -> None:
    journal = Journal()
    for number in range(JOURNAL_ENTRIES + 5):
        record(journal, number)
    recorded = journal.completed()
    assert len(recorded) == JOURNAL_ENTRIES
    assert (recorded[0]["path"], recorded[-1]["path"]) == ("/5", f"/{JOURNAL_ENTRIES + 4}")


def test_the_admin_api_lists_the_requests_after_a_number(index: Index) -> None:
    assert index.api_json("GET", "/requests")["last"] == 0
    for project in ("one", "two", "three"):
        index.get(f"/{project}/")
    assert index.api_json("GET", "/requests?limit=0") == {"requests": [], "last": 3}
    paths = [entry["project"] for entry in index.api_json("GET", "/requests?after=1")["requests"]]
    assert paths == ["two", "three"]
    paths = [entry["project"] for entry in index.api_json("GET", "/requests?limit=1")["requests"]]
    assert paths == ["three"]
    assert index.api_json("GET", "/requests?after=3")["requests"] == []
    index.api_json("DELETE", "/requests")
    index.get("/four/")
    listed = index.api_json("GET", "/requests?after=3")
    assert ([entry["project"] for entry in listed["requests"]], listed["last"]) == (["four"], 4)


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=", "limit=9007199254740992"])
def test_a_request_number_that_is_not_a_count_is_rejected(index: Index, query: str) -> None:
    response = index.api("GET", f"/requests?{query}")
    assert response.status_code == 400
    assert "must be an integer from 0 to" in response.json()["error"]


def test_requests_over_http_displace_older_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudrepo_server.testkit.journal.JOURNAL_ENTRIES", 3)

    async def scenario() -> None:
        async with (
            running_server(ServerSettings()) as server,
            aiohttp.ClientSession(
                headers={"Authorization": basic("ann@example.com", PASSPHRASE)}
            ) as client,
        ):
            await server.organization.users.create("ann@example.com", passphrase=PASSPHRASE)
            repository = await server.organization.create_repository("demo")
            for number in range(5):
                url = f"{server.url}/repositories/demo/project{number}/"
                async with client.get(url) as response:
                    assert response.status == 404
            journal = server.organization.testkit.journal(repository.document.id)
            listed = [entry["project"] for entry in journal.completed()]
            assert listed == ["project2", "project3", "project4"]

    asyncio.run(scenario())


def test_requests_after_a_number_are_found_in_a_full_journal() -> None:
    journal = Journal()
    for number in range(1, JOURNAL_ENTRIES + 6):
        record(journal, number)
    assert journal.last == JOURNAL_ENTRIES + 5
    newest = journal.completed(after=journal.last - 2)
    assert [entry["path"] for entry in newest] == [f"/{journal.last - 1}", f"/{journal.last}"]
    assert len(journal.completed(after=1)) == JOURNAL_ENTRIES


def test_anonymous_requests_displace_no_request_of_a_user() -> None:
    journal = Journal()
    for number in range(10):
        record(journal, number, user="user@example.com")
    for number in range(10, JOURNAL_ENTRIES + 20):
        record(journal, number, user_agent="x" * 8000)
    paths = [entry["path"] for entry in journal.completed()]
    assert paths[:10] == [f"/{number}" for number in range(10)]
    assert paths[-1] == f"/{JOURNAL_ENTRIES + 19}"
    numbers = [int(path[1:]) for path in paths]
    assert numbers == sorted(numbers)


def test_rejected_logins_displace_no_request_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudrepo_server.testkit.journal.JOURNAL_ENTRIES", 3)
    user = basic("ann@example.com", PASSPHRASE)
    rejected = (
        None,
        basic("ann@example.com", "wrong-passphrase"),
        basic("nobody@example.com", PASSPHRASE),
        basic("", "cloudrepo.0123456789abcdef.secret"),
        "Bearer x",
        "Basic !",
    )

    async def scenario() -> None:
        async with running_server(ServerSettings()) as server, aiohttp.ClientSession() as client:
            await server.organization.users.create("ann@example.com", passphrase=PASSPHRASE)
            repository = await server.organization.create_repository("demo")
            for number, login in enumerate((user, *rejected, user, *rejected)):
                url = f"{server.url}/repositories/demo/project{number}/"
                headers = {} if login is None else {"Authorization": login}
                async with client.get(url, headers=headers) as response:
                    assert response.status == (404 if login is user else 401)
            journal = server.organization.testkit.journal(repository.document.id)
            # Requests with a known user and other requests have separate limits.
            users = [entry["user"] for entry in journal.completed()]
            assert users == ["ann@example.com"] * 2 + [None] * 3

    asyncio.run(scenario())


@pytest.mark.parametrize("user", [None, "user@example.com"])
@pytest.mark.parametrize(
    "field", ["user_agent", "project", "filename", "form", "headers", "query", "upstreams"]
)
def test_the_size_of_the_journal_is_limited(field: str, user: str | None) -> None:
    journal = Journal()
    size = 100_000
    value: Any = "x" * size
    if field in ("form", "headers"):
        value = msgspec.Raw(b'"' + b"x" * size + b'"')
    elif field == "upstreams":
        value = ["x" * (size // 2)] * 2
    for number in range(2 * JOURNAL_BYTES // size):
        record(journal, number, user=user, **{field: value})
    kept = journal.completed()
    assert 0.9 * JOURNAL_BYTES < len(kept) * size < JOURNAL_BYTES
    assert kept[-1]["path"] == f"/{2 * JOURNAL_BYTES // size - 1}"
    journal.clear()
    record(journal, 1, user=user)
    assert len(journal.completed()) == 1


@pytest.mark.parametrize("user", [None, "user@example.com"])
def test_the_size_of_all_journals_is_limited(
    monkeypatch: pytest.MonkeyPatch, user: str | None
) -> None:
    limit = 4 << 20
    monkeypatch.setattr("cloudrepo_server.testkit.journals.JOURNALS_BYTES", limit)
    monkeypatch.setattr("cloudrepo_server.testkit.journals._BYTES_PER_CHECK", limit // 64)
    testkit = Registry(shared=False)

    def add(journal_id: str, path: str, by: str | None) -> None:
        entry = Entry(method="GET", path=path, user_agent="x" * 10_000, status=200, user=by)
        testkit.record(journal_id, entry)
        testkit.settle(journal_id, entry, anonymous=by is None)

    for number in range(20):
        add("quiet", f"/{number}", user)
        add("quiet", f"/of-the-others-{number}", "user@example.com" if user is None else None)
    for number in range(600):
        add(f"busy{number % 3}", f"/{number}", user)
    journals = [testkit.journal(name) for name in ("quiet", "busy0", "busy1", "busy2")]
    kept = [len(journal.completed()) for journal in journals]
    # The largest journals lose their oldest requests.
    assert kept[0] == 40
    assert all(100 < 3 * count < 400 for count in kept[1:])
    assert 0.8 * limit < sum(kept[1:], 20) * 12_000 < 1.1 * limit
    assert journals[3].completed()[-1]["path"] == "/599"


def test_the_size_of_the_journal_is_that_of_its_characters_in_memory() -> None:
    journal = Journal()
    large = "\U0001f600" + "x" * 100_000
    for number in range(2 * JOURNAL_BYTES // len(large)):
        record(journal, number, user_agent=large + str(number))
    kept = journal.completed()
    size = sum(sys.getsizeof(entry["user_agent"]) for entry in kept)
    assert 0.9 * JOURNAL_BYTES < size < JOURNAL_BYTES


@pytest.mark.parametrize(
    "fields_",
    [
        {"name": ["demo"], **{f"x{number}": ["y" * 2000] for number in range(4000)}},
        {"name": ["demo"], "classifiers": ["y" * 2000] * 4000},
        {"name": ["demo"], "x" * (1 << 20): ["y"]},
        {"name": ["demo"], "control": ["\x01" * 100_000] * 100},
    ],
)
def test_the_size_of_a_form_in_the_journal_is_limited(fields_: dict[str, list[str]]) -> None:
    encoded = encode_form(fields_)
    assert len(bytes(encoded)) <= JOURNAL_FORM_BYTES
    assert msgspec.json.decode(encoded)["name"] == ["demo"]


SECRET = "a-long-passphrase"
PARTS = (
    *(SECRET, SECRET.replace("-", "_"), SECRET.replace("-", "%2D"), SECRET[:10]),
    *("authorization", "Authorization: ", "Basic ", "x"),
    *("https://user:word@host", "https://", "user:", "@", "?sig=", "&", "=", "%40"),
    *("cloudrepo.01ab.", "***", " ", "\n", "\\", "/", '"'),
)
texts = st.lists(st.sampled_from(PARTS), max_size=6).map("".join)


@given(fields_=st.dictionaries(texts, st.lists(texts, max_size=3), max_size=4))
@example(fields_={"comment": ["x", f"several\nlines with {SECRET}"]})
@example(fields_={"authorization": ["Basic", "x"], "x": ["https://user:word@host"]})
def test_secrets_in_names_and_values_of_a_form_are_redacted(fields_: dict[str, list[str]]) -> None:
    set_request_secrets([SECRET])
    try:
        recorded = msgspec.json.decode(encode_form(fields_))
        expected = {
            redacted_record(name): [redacted_record(value) for value in values]
            for name, values in fields_.items()
        }
    finally:
        set_request_secrets([])
    assert recorded == expected
    assert SECRET not in str(recorded)


def test_the_length_of_a_value_in_the_journal_is_limited() -> None:
    encoded = encode_form({"name": ["x" * JOURNAL_TEXT], "summary": ["x" * (JOURNAL_TEXT + 1)]})
    form = msgspec.json.decode(encoded)
    assert form["name"] == ["x" * JOURNAL_TEXT]
    assert len(form["summary"][0]) <= JOURNAL_TEXT


def test_the_size_of_headers_in_the_journal_is_limited() -> None:
    headers = (("Host", "x"), *((f"X-{number}", "y" * 2000) for number in range(100)))
    encoded = encode_headers(headers)
    assert len(bytes(encoded)) <= JOURNAL_HEADER_BYTES
    kept = msgspec.json.decode(encoded)
    assert kept[0] == ["Host", "x"]
    assert len(kept[1][1]) <= JOURNAL_TEXT
    assert len(kept) > JOURNAL_HEADER_BYTES // 1200
    assert ["Authorization", "***"] in msgspec.json.decode(
        encode_headers((*headers, ("Authorization", "***")))
    )


def test_each_request_has_a_kind(protected: Index) -> None:
    protected.publish(wheel())
    file = f"/demo/{wheel().filename}"
    for below in ("/", "/simple/", "/demo/", "/nothing/", file, file + ".metadata"):
        protected.get(below)
        protected.request("GET", below, auth=None)
    kinds = [entry["kind"] for entry in protected.journal()]
    reads = ["root", "root", "page", "page", "file", "metadata"]
    assert kinds == ["upload", *(kind for each in reads for kind in (each, each))]


def test_the_faults_that_changed_a_response_are_recorded(index: Index) -> None:
    index.publish(wheel())
    index.api_json("POST", "/faults", {"kind": "status", "status": 418, "project": "other"})
    slow = index.api_json("POST", "/faults", {"kind": "latency", "seconds": 0})
    broken = index.api_json("POST", "/faults", {"kind": "status", "status": 503, "times": 1})
    for kind in ("stored-then-error", "truncate"):
        index.api_json("POST", "/faults", {"kind": kind})
    assert (slow["number"], broken["number"]) == (2, 3)
    index.get("/demo/")
    index.request("HEAD", "/demo/")
    index.upload(wheel(version="3.0"), sha256_digest="0")
    index.upload(wheel(version="2.0"))
    _, failed, head, rejected, stored = index.journal()
    latency = {"id": slow["id"], "number": 2, "kind": "latency"}
    assert failed["faults"] == [latency, {"id": broken["id"], "number": 3, "kind": "status"}]
    # A HEAD request has no body to truncate, and a rejected upload is not stored.
    assert head["faults"] == [latency]
    assert rejected["faults"] == [latency]
    assert [fault["kind"] for fault in stored["faults"]] == ["latency", "stored-then-error"]


def test_the_upstreams_that_were_asked_are_recorded(index: Index) -> None:
    index.publish(wheel())
    behind = index.server.repository(upstream=[index.name])
    other = index.server.repository()
    front = index.server.repository(upstream=[other.name, behind.name])
    front.get("/demo/")
    front.publish(wheel("own"))
    front.get("/own/")
    front.get("/nothing/")
    asked = [entry["upstreams"] for entry in front.journal()]
    everyone = [other.name, behind.name, index.name]
    assert asked == [everyone, [], [], everyone]


def test_an_upstream_is_recorded_without_its_login(index: Index) -> None:
    index.publish(wheel())
    front = index.server.repository(upstream=[index.index_url])
    assert front.file(wheel()).content == wheel().data
    shown = index.url.replace("://", "://***@")
    assert [entry["upstreams"] for entry in front.journal()] == [[shown], [shown]]


def test_the_size_of_a_request_is_recorded(index: Index) -> None:
    form = encode(fields(wheel()))
    index.send(form)
    index.get("/")
    assert [entry["bytes_received"] for entry in index.journal()] == [len(form.body), 0]


def test_a_request_that_was_cleared_in_flight_is_not_listed_later() -> None:
    journal = Journal()
    entry = Entry(method="GET", path="/", user_agent="", status=200)
    journal.add(entry)
    journal.clear()
    journal.settle(entry, anonymous=True)
    assert (journal.completed(), journal.last) == ([], 1)
