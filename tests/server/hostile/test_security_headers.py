"""No browser executes anything in a response, or guesses its type."""

from __future__ import annotations

import pytest

from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.raw import RawResponse, connect, request

JSON = "application/vnd.pypi.simple.v1+json"
LINES = [
    *("GET / HTTP/1.1", "GET /healthz HTTP/1.1", "GET /readyz HTTP/1.1", "GET /x HTTP/1.1"),
    *("GET /api/openapi.json HTTP/1.1", "GET /api/repositories HTTP/1.1", "POST /api/x HTTP/1.1"),
    *("GET /portal/ HTTP/1.1", "GET /portal/sign-in HTTP/1.1", "GET /portal/x HTTP/1.1"),
    *("GET {path}/ HTTP/1.1", "GET {path}/demo/ HTTP/1.1", "HEAD {path}/demo/ HTTP/1.1"),
    *("GET {path}/simple/ HTTP/1.1", "GET {path}/other/ HTTP/1.1", "PUT {path} HTTP/1.1"),
    *("GET {path}/{file} HTTP/1.1", "GET {path}/{file}.metadata HTTP/1.1", "GET /%zz HTTP/1.1"),
    *("GET /repositories/nothing/ HTTP/1.1", "GET /public{path}/ HTTP/1.1", "XYZ / HTTP/1.1"),
    *("POST {path} HTTP/1.1", "OPTIONS {path}/ HTTP/1.1", "OPTIONS * HTTP/1.1"),
]
REQUESTS = {
    **{line: line for line in LINES},
    "a malformed line": "GET",
    "a malformed header": "GET / HTTP/1.1\r\nno colon",
    "a header that is too long": "GET / HTTP/1.1\r\nX: " + "<script>" * 2000,
    "a path that is too long": "GET /" + "<script>" * 2000 + " HTTP/1.1",
}


def assert_harmless(response: RawResponse) -> None:
    assert response.headers["X-Content-Type-Options"] == "nosniff", response
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action" in policy
    assert "base-uri 'none'" in policy
    # The response does not reveal the name and version of the HTTP library.
    assert response.headers["Server"] == "cloudrepo-server"


@pytest.fixture(scope="module")
def index_with_file(victim: Index) -> Index:
    """A repository with a file."""
    victim.publish(wheel())
    return victim


@pytest.mark.parametrize("accept", ["text/html", JSON])
@pytest.mark.parametrize("start", REQUESTS.values(), ids=REQUESTS.keys())
@pytest.mark.parametrize("login", [True, False], ids=["login", "anonymous"])
def test_every_response_has_a_policy_and_a_fixed_type(
    index_with_file: Index, start: str, accept: str, *, login: bool
) -> None:
    line = start.replace("{path}", index_with_file.path).replace("{file}", wheel().filename)
    headers = {"Accept": accept, **(index_with_file.authorization if login else {})}
    with connect(index_with_file.url) as connection:
        connection.send(request(line, headers))
        assert_harmless(connection.read_response(method=line.split(" ", 1)[0]))


@pytest.mark.parametrize("padding", [0, 3 << 20])
def test_downloads_have_a_policy_and_a_fixed_type(index: Index, padding: int) -> None:
    archive = wheel(padding=padding)
    index.publish(archive)
    url = index.files()[archive.filename]["url"]
    response = index.linked(url)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_faults_have_a_policy_and_a_fixed_type(index: Index) -> None:
    index.publish(wheel())
    for fault in (
        {"kind": "status", "status": 500},
        {"kind": "corrupt"},
    ):
        index.api_json("POST", "/faults", {**fault, "times": 1})
        response = index.get("/demo/")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
