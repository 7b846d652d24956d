"""The faults of redirects, ranges, metadata, content types and connections, as clients see them."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
from urllib.parse import urlsplit

import pytest

from tests.support.archives import wheel
from tests.support.index import JSON, Index, Server
from tests.support.raw import basic, connect, request
from tests.support.server_fixtures import StartServer

ARCHIVE = wheel("demo", "1.0")
FILE = f"/demo/{ARCHIVE.filename}"
LARGE = wheel("large", padding=1 << 20)
LARGE_FILE = f"/large/{LARGE.filename}"
OTHER = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: other\n"


@pytest.fixture
def published(index: Index) -> Index:
    index.publish(ARCHIVE)
    return index


def install(index: Index, **fault: object) -> None:
    index.api_json("POST", "/faults", fault)


def struck(index: Index) -> int:
    (fault,) = index.api_json("GET", "/faults")["faults"]
    return int(fault["struck"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/", "/demo/", FILE])
def test_a_redirect_leads_to_the_location(published: Index, status: int, path: str) -> None:
    location = "https://user:secret@other.example/simple/"
    install(published, kind="redirect", location=location, status=status)
    response = published.get(path)
    assert (response.status_code, response.headers["Location"]) == (status, location)
    assert struck(published) == 1


def test_an_upload_is_redirected_and_not_stored(index: Index) -> None:
    install(index, kind="redirect", location="/elsewhere")
    response = index.upload(ARCHIVE)
    assert (response.status_code, response.headers["Location"]) == (302, "/elsewhere")
    assert index.get("/demo/").status_code == 302
    index.api_json("DELETE", "/faults")
    assert index.get("/demo/").status_code == 404


@pytest.mark.parametrize(("details", "status"), [({}, 200), ({"status": 503}, 503)])
def test_an_html_error_page_replaces_every_response(
    published: Index, details: dict[str, int], status: int
) -> None:
    install(published, kind="html-error-page", **details)
    for response in (published.get("/demo/", Accept=JSON), published.get(FILE)):
        assert response.status_code == status
        assert response.headers["Content-Type"].startswith("text/html")
        assert "Sign in" in response.text
    assert struck(published) == 2


def test_a_wrong_content_type_does_not_change_the_body(published: Index) -> None:
    page = published.get("/demo/", Accept=JSON)
    install(published, kind="wrong-content-type", content_type="application/json")
    for path, body in (("/demo/", page.content), (FILE, ARCHIVE.data)):
        response = published.get(path, Accept=JSON)
        assert response.headers["Content-Type"] == "application/json"
        assert response.content == body


def test_a_range_is_ignored(published: Index) -> None:
    install(published, kind="ignore-range")
    whole = published.get(FILE)
    assert struck(published) == 0
    response = published.get(FILE, Range="bytes=0-9")
    assert (response.status_code, response.content) == (200, ARCHIVE.data)
    assert response.headers["Accept-Ranges"] == whole.headers["Accept-Ranges"] == "bytes"
    assert "Content-Range" not in response.headers
    assert struck(published) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_wrong_range_differs_from_the_requested_range(published: Index, method: str) -> None:
    install(published, kind="wrong-range")
    assert published.get(FILE).content == ARCHIVE.data
    assert struck(published) == 0
    response = published.request(method, FILE, headers={"Range": "bytes=-100"})
    assert response.status_code == 206
    assert response.headers["Content-Range"] == "bytes 0-0/*"
    assert len(response.content) == (1 if method == "GET" else 0)
    assert struck(published) == 1


def test_other_metadata_have_their_own_digest_on_the_page(published: Index) -> None:
    install(published, kind="other-metadata", content=OTHER)
    digest = hashlib.sha256(OTHER.encode()).hexdigest()
    assert published.files()[ARCHIVE.filename]["core-metadata"] == {"sha256": digest}
    assert f'data-core-metadata="sha256={digest}"' in published.html()
    assert published.get(f"{FILE}.metadata").text == OTHER
    assert published.get(FILE).content == ARCHIVE.data


def test_a_wrong_size_is_on_the_page_only(published: Index) -> None:
    install(published, kind="wrong-size")
    assert published.files()[ARCHIVE.filename]["size"] == len(ARCHIVE.data) + 1
    assert published.get(FILE).headers["Content-Length"] == str(len(ARCHIVE.data))


def test_a_response_without_an_entity_tag_is_sent_in_full_each_time(published: Index) -> None:
    for path in ("/demo/", FILE, f"{FILE}.metadata"):
        tag = published.get(path).headers["ETag"]
        assert published.get(path, If_None_Match=tag).status_code == 304
        install(published, kind="missing-etag")
        whole = published.get(path)
        again = published.get(path, If_None_Match=tag)
        with_range = published.get(path, Range="bytes=0-3", If_Range=tag)
        for response in (whole, again, with_range):
            assert (response.status_code, response.content) == (200, whole.content)
            assert "ETag" not in response.headers
        assert "ETag" not in published.request("HEAD", path).headers
        assert struck(published) == 4
        published.api_json("DELETE", "/faults")
        assert published.get(path).headers["ETag"] == tag


def test_a_fault_without_an_entity_tag_to_remove_is_not_counted(server: Server) -> None:
    index = server.repository(files="redirect")
    index.publish(ARCHIVE)
    install(index, kind="missing-etag")
    assert index.get(FILE).status_code == 302
    assert index.get("/missing/").status_code == 404
    assert struck(index) == 0


@pytest.mark.parametrize("other_fault", [None, {"kind": "drip", "bytes_per_second": 100_000_000}])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/demo/"), ("HEAD", FILE), ("GET", LARGE_FILE), ("GET", "/no/")]
)
def test_a_response_with_a_slow_head_is_complete(
    published: Index, method: str, path: str, other_fault: dict[str, object] | None
) -> None:
    published.publish(LARGE)
    expected = published.request(method, path)
    if other_fault is not None:
        install(published, **other_fault)
    install(published, kind="slow-headers", seconds=0.05)
    response = published.request(method, path)
    assert (response.status_code, response.content) == (expected.status_code, expected.content)
    kept = {"Content-Length", "Content-Type", "ETag"} & {*expected.headers}
    assert {name: response.headers[name] for name in kept} == {
        name: expected.headers[name] for name in kept
    }
    *_, fault = published.api_json("GET", "/faults")["faults"]
    assert fault["struck"] == (0 if path == "/no/" else 1)


def test_an_upload_with_a_slow_response_is_stored(index: Index) -> None:
    install(index, kind="slow-headers", seconds=0.05)
    assert index.upload(ARCHIVE).status_code == 200
    assert struck(index) == 1
    assert index.upload(ARCHIVE, sha256_digest="0" * 64).status_code == 400
    assert struck(index) == 1


def test_a_slow_head_arrives_byte_by_byte_and_does_not_prevent_the_server_from_ending(
    start_server: StartServer,
) -> None:
    process = start_server("--grace", "0.1")
    server = Server(process)
    index = server.repository()
    install(index, kind="slow-headers", seconds=3600)
    with connect(index.url) as connection:
        connection.send(request(f"GET {index.path}/ HTTP/1.1", index.authorization))
        assert connection.read(1) == b"H"
        assert not connection.has_data()
        assert process.stop() == 0
        assert connection.closed_by_server()


class Client:
    """A client with one connection to the server."""

    def __init__(self, index: Index) -> None:
        parts = urlsplit(index.server.url)
        self._index = index
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    def get(self, path: str) -> int:
        """Return the status of a response that does not announce the connection's end."""
        headers = {"Authorization": basic(self._index.username, self._index.password)}
        self._connection.request("GET", self._index.path + path, headers=headers)
        response = self._connection.getresponse()
        assert response.read()
        assert response.headers["Connection"] is None
        return response.status

    def wait_for_end(self) -> None:
        """Wait until the server closes the connection."""
        assert self._connection.sock is not None
        assert self._connection.sock.recv(1) == b""

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize("path", ["/demo/", FILE])
def test_a_connection_is_closed_without_announcement(published: Index, path: str) -> None:
    with contextlib.closing(Client(published)) as client:
        assert client.get(path) == 200
        install(published, kind="close-keep-alive", times=1)
        assert client.get("/missing/") == 404
        assert struck(published) == 0
        assert client.get(path) == 200
        client.wait_for_end()
        assert struck(published) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "redirect"},
        {"kind": "redirect", "location": "/a b"},
        {"kind": "redirect", "location": "/x\r\nX-Evil: y"},
        {"kind": "redirect", "location": "/x", "status": 200},
        {"kind": "wrong-content-type", "content_type": "text/html\r\n"},
        {"kind": "other-metadata"},
        {"kind": "other-metadata", "content": "x" * 513},
    ],
)
def test_an_invalid_fault_is_rejected(index: Index, fault: dict[str, object]) -> None:
    response = index.api("POST", "/faults", fault)
    assert response.status_code == 400
    assert "fault" in response.json()["error"]
