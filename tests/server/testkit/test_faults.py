"""Faults: the requests for which they fire, how often, and what they do."""

from __future__ import annotations

import base64
import contextlib
import socket

import pytest
import requests

from tests.support.archives import sdist, wheel
from tests.support.index import Index, Server
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

ARCHIVE = wheel("demo", "1.0")
# A file without core metadata.
PLAIN = sdist("plain", "1.0")
FILE = f"/demo/{ARCHIVE.filename}"
RESETS = ("before", "during", "after")


def install(index: Index, **fault: object) -> str:
    installed = index.api_json("POST", "/faults", fault)
    assert installed["struck"] == 0
    return str(installed["id"])


def firings(index: Index) -> list[int]:
    return [fault["struck"] for fault in index.api_json("GET", "/faults")["faults"]]


@pytest.fixture
def published(index: Index) -> Index:
    index.publish(ARCHIVE)
    return index


def test_a_status_fault_has_the_requested_reason_and_headers(published: Index) -> None:
    install(published, kind="status", status=429, reason="Slow down", headers={"Retry-After": "7"})

    response = published.get("/demo/")

    assert (response.status_code, response.reason) == (429, "Slow down")
    assert response.headers["Retry-After"] == "7"
    assert firings(published) == [1]


def test_the_option_times_limits_firings_and_the_option_every_counts_matches(
    published: Index,
) -> None:
    install(published, kind="status", status=500, times=2, every=3)

    statuses = [published.get("/demo/").status_code for _ in range(10)]

    assert statuses == [200, 200, 500, 200, 200, 500, 200, 200, 200, 200]


@pytest.mark.parametrize(
    ("condition", "below", "fires"),
    [
        ({"method": "get"}, "/demo/", True),
        ({"method": "HEAD"}, "/demo/", False),
        ({"path": "/demo/*.whl"}, FILE, True),
        ({"path": "demo/*.whl"}, FILE, True),
        ({"path": "/demo/*.whl"}, "/demo/", False),
        ({"path": "/"}, "/", True),
        ({"path": "/"}, "/demo/", False),
        ({"project": "Demo"}, "/simple/demo/", True),
        ({"project": "other"}, "/demo/", False),
    ],
)
def test_a_fault_fires_only_for_requests_that_match(
    published: Index, condition: dict[str, str], below: str, *, fires: bool
) -> None:
    install(published, kind="status", status=418, **condition)

    assert (published.get(below).status_code == 418) is fires


def test_a_fault_can_match_one_user(published: Index) -> None:
    install(published, kind="status", status=418, user=published.username)
    other = published.server.user()

    assert published.get("/demo/").status_code == 418
    assert published.request("GET", "/demo/", auth=other).status_code == 200


def test_a_fault_fires_after_authentication(published: Index) -> None:
    install(published, kind="status", status=418)

    assert published.request("GET", "/demo/", auth=None).status_code == 401
    assert firings(published) == [0]


def test_only_the_oldest_fault_fires_and_latency_combines_with_it(published: Index) -> None:
    install(published, kind="status", status=418)
    install(published, kind="status", status=500)
    install(published, kind="latency", seconds=0.01)

    assert published.get("/demo/").status_code == 418
    assert firings(published) == [1, 0, 1]


def test_a_fault_can_match_the_project_of_an_upload(index: Index) -> None:
    install(index, kind="status", status=500, project="demo")

    assert index.upload(ARCHIVE).status_code == 500
    assert index.upload(wheel("other", "1.0")).status_code == 200
    assert index.get("/demo/").status_code == 500
    index.api_json("DELETE", "/faults")
    assert index.get("/demo/").status_code == 404


@pytest.mark.parametrize("project", [None, "demo"])
@pytest.mark.parametrize(("path", "status"), [("/", 418), ("", 418), ("/demo/*", 200)])
def test_the_path_of_an_upload_is_the_root(
    index: Index, path: str, status: int, project: str | None
) -> None:
    condition = {} if project is None else {"project": project}
    install(index, kind="status", status=418, path=path, **condition)

    assert index.upload(ARCHIVE).status_code == status


@pytest.mark.parametrize("condition", [{}, {"project": "demo"}], ids=["any", "of a project"])
def test_an_upload_that_a_fault_rejects_leaves_no_blobs(
    index: Index, condition: dict[str, str]
) -> None:
    before = index.server.blobs()
    install(index, kind="status", status=500, **condition)

    # Larger than the part of a file that stays in memory.
    assert index.upload(wheel("demo", "1.0", padding=1 << 20)).status_code == 500

    assert index.server.wait_until_only_blobs(before)


def test_an_upload_is_counted_as_one_match(index: Index) -> None:
    install(index, kind="status", status=500, every=2)

    statuses = [index.upload(wheel("demo", f"{number}.0")).status_code for number in range(4)]

    assert statuses == [200, 500, 200, 500]


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_reset_upload_is_stored_only_if_it_was_read_completely(index: Index, when: str) -> None:
    install(index, kind="reset", when=when, method="POST", times=1)

    with pytest.raises(requests.ConnectionError):
        index.upload(ARCHIVE)

    assert (index.get("/demo/").status_code == 200) is (when == "after")
    assert index.upload(ARCHIVE).status_code == 200


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_reset_interrupts_a_download(published: Index, when: str) -> None:
    install(published, kind="reset", when=when, path="*.whl", times=1)

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        published.get(FILE)

    assert published.get(FILE).content == ARCHIVE.data


def test_a_reset_connection_serves_no_further_request(published: Index) -> None:
    install(published, kind="reset", when="after", path="*.whl", times=1)
    login = base64.b64encode(":".join(published.auth).encode()).decode()
    host, _, port = published.server.url.removeprefix("http://").partition(":")
    get = f"GET {published.path}{FILE} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(get.encode() * 2)

        with pytest.raises(ConnectionResetError):
            list(iter(lambda: connection.recv(65536), b""))

    assert firings(published) == [1]
    assert len(published.journal()) == 2


def test_a_truncated_file_ends_early(published: Index) -> None:
    install(published, kind="truncate", keep=10)

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="10 bytes read"):
        published.get(FILE)


def test_a_slow_download_is_complete(published: Index) -> None:
    install(published, kind="drip", bytes_per_second=10_000)

    assert published.get(FILE).content == ARCHIVE.data
    assert firings(published) == [1]
    # Nothing but the fault takes this long, and no load makes it faster.
    assert published.journal()[-1]["seconds"] >= len(ARCHIVE.data) / 10_000


def test_latency_delays_the_response(published: Index) -> None:
    install(published, kind="latency", seconds=0.2)

    assert published.get(FILE).content == ARCHIVE.data
    assert published.journal()[-1]["seconds"] >= 0.2


def test_a_corrupt_file_has_the_right_length(published: Index) -> None:
    install(published, kind="corrupt", times=1)

    corrupt = published.get(FILE).content

    assert len(corrupt) == len(ARCHIVE.data)
    assert corrupt != ARCHIVE.data
    assert published.get(FILE).content == ARCHIVE.data


@pytest.mark.parametrize(
    ("kind", "key"), [("wrong-hash", "hashes"), ("wrong-metadata-hash", "core-metadata")]
)
def test_a_page_has_wrong_digests_while_the_fault_is_installed(
    published: Index, kind: str, key: str
) -> None:
    right = published.files()[ARCHIVE.filename]
    fault = install(published, kind=kind)

    wrong = published.files()[ARCHIVE.filename]

    assert wrong[key] != right[key]
    assert published.get(FILE).content == ARCHIVE.data
    published.api_json("DELETE", f"/faults/{fault}")
    assert published.files()[ARCHIVE.filename] == right


def test_wrong_hash_changes_each_digest_of_a_page(server: Server) -> None:
    names = ["sha256", "sha512", "md5", "blake2b"]
    index = server.repository(digests=names, anonymous="read")
    index.publish(ARCHIVE)
    copy = server.repository(upstream=[index.url], digests=names)
    right = index.files()[ARCHIVE.filename]["hashes"]
    assert copy.files()[ARCHIVE.filename]["hashes"] == right
    for each in (index, copy):
        install(each, kind="wrong-hash")
        wrong = each.files()[ARCHIVE.filename]["hashes"]
        assert list(wrong) == names
        assert all(wrong[name] != right[name] for name in names)
        assert all(len(wrong[name]) == len(right[name]) for name in names)


def test_a_fault_of_metadata_does_not_change_files_without_metadata(index: Index) -> None:
    archive = sdist("demo", "1.0")
    index.publish(archive)
    before = index.files()
    assert before[archive.filename]["core-metadata"] is False

    for kind in ("wrong-metadata-hash", "missing-metadata"):
        install(index, kind=kind)

        assert index.files() == before
        assert index.get(f"/demo/{archive.filename}").content == archive.data
        index.api_json("DELETE", "/faults")


def test_metadata_that_the_page_announces_is_missing(published: Index) -> None:
    install(published, kind="missing-metadata", times=1)

    assert published.files()[ARCHIVE.filename]["core-metadata"]
    assert published.get(FILE + ".metadata").status_code == 404
    assert published.get(FILE + ".metadata").status_code == 200


def test_a_stale_page_shows_the_files_that_existed_when_the_fault_was_installed(
    published: Index,
) -> None:
    install(published, kind="stale-page", times=3)
    published.publish(wheel("demo", "2.0"), wheel("later", "1.0"))

    assert list(published.files()) == [ARCHIVE.filename]
    assert published.get("/later/").status_code == 404
    assert ">later<" not in published.html("/")
    assert len(published.files()) == 2
    assert ">later<" in published.html("/")


@pytest.mark.parametrize(
    "fault",
    [{"kind": "truncate", "keep": 10}, *({"kind": "reset", "when": when} for when in RESETS)],
)
def test_the_access_log_lists_a_broken_response_as_one_that_was_not_sent(
    start_server: StartServer, fault: dict[str, object]
) -> None:
    process = start_server("--log-format", "text")
    index = Server(process).repository()
    index.publish(ARCHIVE)
    install(index, **fault)

    with contextlib.suppress(requests.RequestException):
        index.get(FILE)

    wait_until(lambda: f"/demo/{ARCHIVE.filename} " in process.log, "the download in the log")
    (line,) = [line for line in process.log.splitlines() if f"/{ARCHIVE.filename} " in line]
    assert "status=499" in line
    index.server.close()


def test_an_upload_is_stored_although_the_client_receives_an_error(index: Index) -> None:
    install(index, kind="stored-then-error", status=502)

    assert index.upload(ARCHIVE).status_code == 502
    assert index.get(FILE).content == ARCHIVE.data


def test_a_rejected_upload_does_not_count_as_a_firing(protected: Index) -> None:
    protected.publish(ARCHIVE)
    install(protected, kind="stored-then-error")

    assert protected.upload(wheel("demo", "1.0", module="x = 2\n")).status_code == 409
    assert firings(protected) == [0]


@pytest.mark.parametrize(
    ("ineffective", "method", "path", "headers"),
    [
        ({"kind": "ignore-range"}, "GET", FILE, {}),
        ({"kind": "wrong-range"}, "GET", FILE, {}),
        ({"kind": "corrupt"}, "HEAD", FILE, {}),
        ({"kind": "corrupt"}, "GET", "/demo/missing.whl", {}),
        ({"kind": "truncate", "keep": 10_000_000}, "GET", FILE, {}),
        ({"kind": "reset", "when": "after"}, "HEAD", FILE, {}),
        ({"kind": "close-keep-alive"}, "GET", FILE, {"Connection": "close"}),
        ({"kind": "slow-headers", "seconds": 0.01}, "GET", "/missing/", {}),
        ({"kind": "stale-page"}, "GET", "/demo/", {}),
        ({"kind": "stale-page"}, "GET", "/", {}),
        ({"kind": "wrong-hash"}, "GET", "/missing/", {}),
        ({"kind": "wrong-metadata-hash"}, "GET", "/plain/", {}),
        ({"kind": "other-metadata", "content": "Name: x"}, "GET", "/plain/", {}),
        ({"kind": "missing-metadata"}, "GET", f"/plain/{PLAIN.filename}.metadata", {}),
        (
            {"kind": "wrong-content-type", "content_type": "application/octet-stream"},
            "GET",
            FILE,
            {},
        ),
    ],
)
def test_a_fault_that_can_change_nothing_leaves_the_request_to_the_next_fault(
    published: Index,
    ineffective: dict[str, object],
    method: str,
    path: str,
    headers: dict[str, str],
) -> None:
    published.publish(PLAIN)
    install(published, **ineffective)
    install(published, kind="status", status=418, times=1)
    install(published, kind="status", status=503)

    statuses = [published.request(method, path, headers=headers).status_code for _ in range(2)]

    assert statuses == [418, 503]
    assert firings(published) == [0, 1, 1]
    assert [[fault["kind"] for fault in entry["faults"]] for entry in published.journal()[-2:]] == [
        ["status"],
        ["status"],
    ]


def test_faults_that_can_change_nothing_leave_the_page_and_the_file_to_the_next_fault(
    published: Index,
) -> None:
    for kind in ("ignore-range", "missing-metadata", "stale-page"):
        install(published, kind=kind)
    install(published, kind="corrupt")
    install(published, kind="wrong-hash")

    assert published.get(FILE).content != ARCHIVE.data
    assert ARCHIVE.sha256 not in published.get("/demo/").text
    assert firings(published) == [0, 0, 0, 1, 1]


def test_a_request_that_a_fault_cannot_change_does_not_count_for_every_and_times(
    published: Index,
) -> None:
    install(published, kind="ignore-range", every=2, times=1)

    ranges = [None, None, "bytes=0-0", "bytes=0-0", None]
    statuses = [published.get(FILE, Range=each).status_code for each in ranges]

    assert statuses == [200, 200, 200, 206, 200]
    assert firings(published) == [1]


def test_a_fault_of_stored_uploads_leaves_a_rejected_upload_to_the_next_fault(
    protected: Index,
) -> None:
    protected.publish(ARCHIVE)
    for kind in ("stored-then-error", "close-keep-alive"):
        install(protected, kind=kind)
    install(protected, kind="status", status=503)

    assert protected.upload(wheel("demo", "1.0", module="x = 2\n")).status_code == 503
    assert firings(protected) == [0, 0, 1]
    assert protected.get(FILE).content == ARCHIVE.data


def test_latency_does_not_hide_a_fault_of_the_project_of_an_upload(index: Index) -> None:
    install(index, kind="latency", seconds=0.01)
    install(index, kind="status", status=503, project="demo")

    assert index.upload(ARCHIVE).status_code == 503
    assert firings(index) == [1, 1]


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ({"kind": "status", "status": 503}, 503, "Service Unavailable"),
        ({"kind": "status", "status": 503, "reason": "Slow down"}, 503, "Slow down"),
        ({"kind": "corrupt"}, 200, "OK"),
        ({"kind": "truncate", "keep": 10}, 200, "OK"),
        ({"kind": "drip", "bytes_per_second": 1_000_000}, 200, "OK"),
        ({"kind": "latency", "seconds": 0.001}, 200, "OK"),
        ({"kind": "reset", "when": "before"}, 0, "the connection was reset by a fault"),
        ({"kind": "reset", "when": "during"}, 200, "the connection was reset by a fault"),
        ({"kind": "reset", "when": "after"}, 200, "the connection was reset by a fault"),
    ],
)
def test_the_journal_lists_the_status_and_the_reason_that_a_fault_produced(
    published: Index, fault: dict[str, object], status: int, reason: str
) -> None:
    install(published, **fault)
    published.api_json("DELETE", "/requests")

    # Some of the faults break the connection.
    with contextlib.suppress(requests.RequestException):
        response = published.get(FILE)
        sent = (200, "OK") if fault["kind"] == "reset" else (status, reason)
        assert (response.status_code, response.reason) == sent
    # The next request needs a new connection.
    published.server.session.close()

    wait_until(lambda: published.journal() != [], "the journal to list the download")
    assert [(entry["status"], entry["reason"]) for entry in published.journal()] == [
        (status, reason)
    ]


def test_the_journal_lists_an_upload_that_was_stored_although_it_failed(index: Index) -> None:
    install(index, kind="stored-then-error", status=502)

    response = index.upload(ARCHIVE)

    assert (response.status_code, response.reason) == (502, "The upload failed.")
    entry = index.journal()[0]
    assert (entry["status"], entry["reason"]) == (502, "The upload failed.")


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
def test_an_invalid_fault_is_rejected_with_the_reason(
    index: Index, fault: dict[str, object], word: str
) -> None:
    response = index.api("POST", "/faults", fault)

    assert response.status_code == 400
    assert word in response.json()["error"] or word == "99"
    assert firings(index) == []


def test_deleting_a_repository_deletes_its_faults(published: Index) -> None:
    install(published, kind="status", status=500)
    published.api_json("DELETE")
    published.server.api_json("POST", "/repositories", {"name": published.name})

    assert firings(published) == []
    assert published.get("/").status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "reset", name: "[" * 513} for name in ("method", "path", "project", "user")),
        {"kind": "status", "status": 500, "reason": "x" * 513},
        {"kind": "status", "status": 500, "headers": {"X-" + "x" * 511: "x"}},
        {"kind": "status", "status": 500, "headers": {"X-A": "x" * 513}},
        {"kind": "status", "status": 500, "headers": {f"X-{number}": "x" for number in range(33)}},
    ],
    ids=lambda fault: next(reversed(fault)),
)
def test_the_texts_of_a_fault_are_limited(index: Index, fault: dict[str, object]) -> None:
    response = index.server.api("POST", f"/repositories/{index.name}/faults", fault)
    assert response.status_code == 400
    assert "The fault is not valid" in response.text


def test_the_number_of_faults_is_limited(published: Index) -> None:
    for _ in range(100):
        install(published, kind="status", status=500, path="[" * 512)
    fault = {"kind": "status", "status": 500}
    response = published.server.api("POST", f"/repositories/{published.name}/faults", fault)
    assert response.status_code == 409
    assert "100 faults, which is the limit" in response.text
    assert published.get("/demo/").status_code == 200
    published.api_json("DELETE", "/faults")
    install(published, **fault)
