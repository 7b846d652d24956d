"""Files of an upstream URL: each request gets the response that the upstream gives."""

from __future__ import annotations

import json
import re

import pytest
import requests

from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.upstream import running_upstream

ARCHIVE = wheel(padding=100_000)
FILE = f"/demo/{ARCHIVE.filename}"
FORWARDED = ("Content-Length", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified")


@pytest.fixture
def upstream(server: Server) -> Index:
    upstream = server.repository()
    upstream.publish(ARCHIVE)
    return upstream


@pytest.fixture
def index(server: Server, upstream: Index) -> Index:
    """A repository that knows the upstream by its URL only."""
    return server.repository(upstream=[upstream.index_url])


def etag(upstream: Index) -> str:
    return upstream.get(FILE).headers["ETag"]


def assert_equal(response: requests.Response, expected: requests.Response) -> None:
    assert response.status_code == expected.status_code
    assert response.content == expected.content
    for name in FORWARDED:
        assert response.headers.get(name) == expected.headers.get(name), name
    assert response.headers["Content-Type"] == "application/octet-stream"


def test_the_scheme_and_the_host_of_an_upstream_may_have_upper_case_letters(
    server: Server, upstream: Index
) -> None:
    url = upstream.index_url.replace("http://", "HTTP://").replace("127.0.0.1", "LOCALHOST")
    index = server.repository(upstream=[url])
    assert index.get(FILE).content == ARCHIVE.data


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("requested", "status"),
    [("bytes=0-9", 206), ("bytes=-10", 206), ("bytes=9999999-", 416), (None, 200)],
)
def test_a_range_is_the_range_of_the_upstreams_file(
    index: Index, upstream: Index, method: str, requested: str | None, status: int
) -> None:
    headers = {"Range": requested}
    response = index.request(method, FILE, headers=headers)
    expected = upstream.request("GET", FILE, headers=headers)

    assert expected.status_code == status
    if method == "HEAD":
        assert (response.status_code, response.content) == (status, b"")
        for name in FORWARDED:
            assert response.headers.get(name) == expected.headers.get(name), name
    else:
        assert_equal(response, expected)


@pytest.mark.parametrize("is_current", [True, False])
def test_if_range_is_compared_with_the_upstreams_file(
    index: Index, upstream: Index, *, is_current: bool
) -> None:
    condition = etag(upstream) if is_current else '"another"'
    headers = {"Range": "bytes=0-9", "If-Range": condition}

    response = index.request("GET", FILE, headers=headers)

    assert_equal(response, upstream.request("GET", FILE, headers=headers))
    assert response.status_code == (206 if is_current else 200)


@pytest.mark.parametrize("is_current", [True, False])
def test_if_none_match_is_compared_with_the_upstreams_file(
    index: Index, upstream: Index, *, is_current: bool
) -> None:
    condition = etag(upstream) if is_current else '"another"'

    response = index.request("GET", FILE, headers={"If-None-Match": condition})

    assert response.status_code == (304 if is_current else 200)
    assert response.content == (b"" if is_current else ARCHIVE.data)
    assert response.headers["ETag"] == etag(upstream)


@pytest.mark.parametrize(("answer", "status"), [(404, 404), (410, 404), (403, 502), (500, 502)])
@pytest.mark.parametrize("suffix", ["", ".metadata"])
def test_a_file_that_the_upstream_does_not_serve_is_not_served(
    server: Server, answer: int, status: int, suffix: str
) -> None:
    with running_upstream() as upstream:
        listed = {"filename": ARCHIVE.filename, "url": FILE, "hashes": {"sha256": ARCHIVE.sha256}}
        listed |= {"core-metadata": {"sha256": "0" * 64}}
        page = {"meta": {"api-version": "1.0"}, "name": "demo", "files": [listed]}
        upstream.respond("/simple/demo/", json.dumps(page))
        upstream.respond(FILE + suffix, b"a page of the upstream", status=answer)
        index = server.repository(upstream=[upstream.url])

        response = index.get(FILE + suffix)

    assert response.status_code == status
    assert "upstream" in response.json()["error"]


@pytest.mark.parametrize("status", [304, 416])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_response_without_content_does_not_announce_the_upstreams_content(
    server: Server, status: int, method: str
) -> None:
    with running_upstream() as upstream:
        listed = {"filename": ARCHIVE.filename, "url": FILE}
        upstream.respond("/simple/demo/", json.dumps({"files": [listed]}))
        body = b"" if status == 304 else b"The range cannot be satisfied."
        upstream.respond(FILE, body, status=status, headers={"ETag": '"tag"'})
        index = server.repository(upstream=[upstream.url])

        response = index.request(method, FILE)
        # The connection is still usable.
        again = index.request(method, FILE)

    assert (response.status_code, response.content) == (status, b"")
    assert response.headers["ETag"] == '"tag"'
    assert (again.status_code, again.headers["ETag"]) == (status, '"tag"')
    if method == "GET":
        assert response.headers.get("Content-Length", "0") == "0"


def test_the_upstream_receives_the_id_of_the_repository(server: Server) -> None:
    with running_upstream() as upstream:
        listed = {"filename": ARCHIVE.filename, "url": FILE}
        upstream.respond("/simple/demo/", json.dumps({"files": [listed]}))
        upstream.respond(FILE, ARCHIVE.data)
        index = server.repository(upstream=[upstream.url])
        assert index.get(FILE).content == ARCHIVE.data
        earlier = {"X-CloudRepo-Via": "0123456789abcdef fedcba9876543210"}
        assert index.request("GET", FILE, headers=earlier).content == ARCHIVE.data

    page, file, page_again, file_again = [
        headers["X-Cloudrepo-Via"] for _, headers in upstream.requests
    ]
    assert re.fullmatch("[0-9a-f]{16}", page)
    assert file == page
    assert page_again == file_again == f"{earlier['X-CloudRepo-Via']} {page}"
