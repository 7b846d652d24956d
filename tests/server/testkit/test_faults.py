"""The admin API's faults: which requests they strike, and how often."""

from __future__ import annotations

import base64
import socket

import pytest
import requests

from tests.support.archives import wheel
from tests.support.index import Index

ARCHIVE = wheel("demo", "1.0")
FILE = f"/demo/{ARCHIVE.filename}"


def install(index: Index, **fault: object) -> str:
    made = index.done("POST", "/faults", fault)
    assert made["struck"] == 0
    return str(made["id"])


def struck(index: Index) -> list[int]:
    return [fault["struck"] for fault in index.done("GET", "/faults")["faults"]]


@pytest.fixture
def published(index: Index) -> Index:
    index.publish(ARCHIVE)
    return index


def test_a_status_has_the_reason_and_headers_that_were_asked_for(published: Index) -> None:
    install(published, kind="status", status=429, reason="Slow down", headers={"Retry-After": "7"})

    answer = published.get("/demo/")

    assert (answer.status_code, answer.reason) == (429, "Slow down")
    assert answer.headers["Retry-After"] == "7"
    assert struck(published) == [1]


def test_times_counts_strikes_and_every_counts_matches(published: Index) -> None:
    install(published, kind="status", status=500, times=2, every=3)

    statuses = [published.get("/demo/").status_code for _ in range(10)]

    assert statuses == [200, 200, 500, 200, 200, 500, 200, 200, 200, 200]


@pytest.mark.parametrize(
    ("condition", "below", "strikes"),
    [
        ({"method": "get"}, "/demo/", True),
        ({"method": "HEAD"}, "/demo/", False),
        ({"path": "/demo/*.whl"}, FILE, True),
        ({"path": "demo/*.whl"}, FILE, True),
        ({"path": "/demo/*.whl"}, "/demo/", False),
        ({"project": "Demo"}, "/simple/demo/", True),
        ({"project": "other"}, "/demo/", False),
    ],
)
def test_a_fault_strikes_what_it_was_aimed_at(
    published: Index, condition: dict[str, str], below: str, *, strikes: bool
) -> None:
    install(published, kind="status", status=418, **condition)

    assert (published.get(below).status_code == 418) is strikes


def test_a_fault_strikes_one_user(published: Index) -> None:
    install(published, kind="status", status=418, user=published.username)
    other = published.server.user()

    assert published.get("/demo/").status_code == 418
    assert published.request("GET", "/demo/", auth=other).status_code == 200


def test_a_fault_acts_after_authentication(published: Index) -> None:
    install(published, kind="status", status=418)

    assert published.request("GET", "/demo/", auth=None).status_code == 401
    assert struck(published) == [0]


def test_the_oldest_strikes_alone_and_latency_goes_with_it(published: Index) -> None:
    install(published, kind="status", status=418)
    install(published, kind="status", status=500)
    install(published, kind="latency", seconds=0.01)

    assert published.get("/demo/").status_code == 418
    assert struck(published) == [1, 0, 1]


def test_an_upload_is_struck_by_its_project_once_the_form_is_read(index: Index) -> None:
    install(index, kind="status", status=500, project="demo")

    assert index.upload(ARCHIVE).status_code == 500
    assert index.upload(wheel("other", "1.0")).status_code == 200
    assert index.get("/demo/").status_code == 500
    index.done("DELETE", "/faults")
    assert index.get("/demo/").status_code == 404


def test_an_upload_is_one_match_though_its_project_is_known_late(index: Index) -> None:
    install(index, kind="status", status=500, every=2)

    statuses = [index.upload(wheel("demo", f"{number}.0")).status_code for number in range(4)]

    assert statuses == [200, 500, 200, 500]


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_reset_upload_is_stored_only_if_it_was_read_whole(index: Index, when: str) -> None:
    install(index, kind="reset", when=when, method="POST", times=1)

    with pytest.raises(requests.ConnectionError):
        index.upload(ARCHIVE)

    assert (index.get("/demo/").status_code == 200) is (when == "after")
    assert index.upload(ARCHIVE).status_code == 200


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_reset_download_breaks_off(published: Index, when: str) -> None:
    install(published, kind="reset", when=when, path="*.whl", times=1)

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        published.get(FILE)

    assert published.get(FILE).content == ARCHIVE.data


def test_a_connection_reset_after_a_download_serves_no_other_request(published: Index) -> None:
    install(published, kind="reset", when="after", path="*.whl", times=1)
    login = base64.b64encode(":".join(published.auth).encode()).decode()
    host, _, port = published.server.url.removeprefix("http://").partition(":")
    ask = f"GET {published.path}{FILE} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(ask.encode() * 2)

        with pytest.raises(ConnectionResetError):
            list(iter(lambda: connection.recv(65536), b""))

    assert struck(published) == [1]
    assert len(published.journal()) == 2


def test_a_truncated_file_ends_early(published: Index) -> None:
    install(published, kind="truncate", keep=10)

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="10 bytes read"):
        published.get(FILE)


def test_a_dripped_file_is_whole(published: Index) -> None:
    install(published, kind="drip", bytes_per_second=100_000)

    assert published.get(FILE).content == ARCHIVE.data
    assert struck(published) == [1]


def test_a_corrupt_file_has_the_length_of_the_real_one(published: Index) -> None:
    install(published, kind="corrupt", times=1)

    spoiled = published.get(FILE).content

    assert len(spoiled) == len(ARCHIVE.data)
    assert spoiled != ARCHIVE.data
    assert published.get(FILE).content == ARCHIVE.data


@pytest.mark.parametrize(
    ("kind", "key"), [("wrong-hash", "hashes"), ("wrong-metadata-hash", "core-metadata")]
)
def test_a_page_tells_wrong_digests_only_while_the_fault_is_there(
    published: Index, kind: str, key: str
) -> None:
    right = published.files()[ARCHIVE.filename]
    fault = install(published, kind=kind)

    wrong = published.files()[ARCHIVE.filename]

    assert wrong[key] != right[key]
    assert published.get(FILE).content == ARCHIVE.data
    published.done("DELETE", f"/faults/{fault}")
    assert published.files()[ARCHIVE.filename] == right


def test_metadata_is_missing_though_the_page_tells_of_it(published: Index) -> None:
    install(published, kind="missing-metadata", times=1)

    assert published.files()[ARCHIVE.filename]["core-metadata"]
    assert published.get(FILE + ".metadata").status_code == 404
    assert published.get(FILE + ".metadata").status_code == 200


def test_a_stale_page_shows_what_was_there_when_the_fault_was_made(published: Index) -> None:
    install(published, kind="stale-page", times=3)
    published.publish(wheel("demo", "2.0"), wheel("later", "1.0"))

    assert list(published.files()) == [ARCHIVE.filename]
    assert published.get("/later/").status_code == 404
    assert ">later<" not in published.html("/")
    assert len(published.files()) == 2
    assert ">later<" in published.html("/")


def test_an_upload_can_be_stored_though_the_client_saw_an_error(index: Index) -> None:
    install(index, kind="stored-then-error", status=502)

    assert index.upload(ARCHIVE).status_code == 502
    assert index.get(FILE).content == ARCHIVE.data


def test_an_upload_that_is_refused_anyway_is_no_strike_of_it(protected: Index) -> None:
    protected.publish(ARCHIVE)
    install(protected, kind="stored-then-error")

    assert protected.upload(wheel("demo", "1.0", module="x = 2\n")).status_code == 409
    assert struck(protected) == [0]


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"kind": "unheard-of"}, "unheard-of"),
        ({"kind": "status"}, "status"),
        ({"kind": "status", "status": 99}, "99"),
        ({"kind": "status", "status": 500, "headers": {"X": "a\r\nb"}}, "header"),
        ({"kind": "latency", "seconds": -1}, "seconds"),
        ({"kind": "reset", "when": "never"}, "never"),
        ({"kind": "corrupt", "keep": 3}, "keep"),
        ({"kind": "corrupt", "times": 0}, "times"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_by_name(
    index: Index, fault: dict[str, object], word: str
) -> None:
    answer = index.api("POST", "/faults", fault)

    assert answer.status_code == 400
    assert word in answer.json()["error"] or word == "99"
    assert struck(index) == []


def test_faults_and_journal_of_a_deleted_repository_are_gone(published: Index) -> None:
    install(published, kind="status", status=500)
    published.done("DELETE")
    published.server.done("POST", "/repositories", {"name": published.name})

    assert struck(published) == []
    assert published.get("/").status_code == 200
