"""Downloads of files and core metadata: ranges, compression and caching."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.support.archives import Archive, sdist, wheel
from tests.support.forms import File, encode, fields
from tests.support.index import JSON, Index, Server
from tests.support.raw import connect, exchange, request

LARGE = 3 << 19


@pytest.fixture(scope="module", params=["small", "large"])
def archive(request: pytest.FixtureRequest) -> Archive:
    """A small file, which is sent in one piece, or a large one, which is streamed."""
    return wheel(padding=LARGE if request.param == "large" else 0)


@pytest.fixture(scope="module")
def index_with_file(server: Server, archive: Archive) -> Index:
    """A repository with the file, for tests that only read."""
    index = server.repository()
    index.publish(archive)
    return index


@pytest.fixture(scope="module")
def path(archive: Archive) -> str:
    """The path of the file."""
    return f"/demo/{archive.filename}"


def test_a_file_is_returned_as_it_was_uploaded(
    index_with_file: Index, archive: Archive, path: str
) -> None:
    response = index_with_file.get(path)
    assert response.status_code == 200
    assert response.content == archive.data
    assert response.headers["Content-Length"] == str(len(archive.data))
    assert response.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("simple", ["/simple", ""])
def test_core_metadata_is_identical_to_that_in_the_wheel(index: Index, simple: str) -> None:
    metadata = b"Metadata-Version: 2.1\r\nName: demo\nVersion: 1.0\n\n\xc3\xa4\x00\xff\r\n\n"
    archive = wheel(metadata=metadata)
    index.publish(archive)
    response = index.get(f"{simple}/demo/{archive.filename}.metadata")
    assert response.status_code == 200
    assert response.content == metadata


def test_an_sdist_with_reliable_metadata_has_a_metadata_file(index: Index) -> None:
    archive = sdist(metadata_version="2.4", requires_python=">=3.9")
    index.publish(archive)
    response = index.get(f"/demo/{archive.filename}.metadata")
    assert response.content == archive.metadata


def test_core_metadata_has_the_listed_digest(index: Index) -> None:
    built, source = wheel(more="Requires-Dist: other\n"), sdist(metadata_version="2.2")
    index.publish(built, source)
    for archive in (built, source):
        file = index.files()[archive.filename]
        served = index.linked(file["url"] + ".metadata").content
        assert file["core-metadata"]["sha256"] == Archive("METADATA", served).sha256


def test_core_metadata_is_replaced_with_its_file(index: Index) -> None:
    index.publish(wheel())
    again = wheel(more="Requires-Dist: other\n")
    index.publish(again)
    served = index.get(f"/demo/{again.filename}.metadata").content
    assert served == again.metadata
    digest = index.files()[again.filename]["core-metadata"]["sha256"]
    assert digest == Archive("METADATA", served).sha256


def test_head_of_a_file_has_the_headers_of_get_and_no_body(
    index_with_file: Index, path: str
) -> None:
    with connect(index_with_file.url) as connection:
        # A body would precede the second response.
        for method in ("HEAD", "GET"):
            connection.send(
                request(
                    f"{method} {index_with_file.path}{path} HTTP/1.1", index_with_file.authorization
                )
            )
        head, get = connection.read_response(method="HEAD"), connection.read_response()
    assert head.status == get.status == 200
    variable = {"Date", "X-Request-Id"}
    assert {k: v for k, v in head.headers.items() if k not in variable} == {
        k: v for k, v in get.headers.items() if k not in variable
    }


@pytest.mark.parametrize("accept", [JSON, "text/html"])
def test_head_of_a_page_has_the_headers_of_get(index: Index, accept: str) -> None:
    index.publish(*(wheel(version=f"{number}.0") for number in range(10)))
    headers = {**index.authorization, "Accept": accept, "Accept-Encoding": "gzip"}
    for below in ("/", "/demo/", "/demo/demo-1.0-py3-none-any.whl.metadata"):
        with connect(index.url) as connection:
            for method in ("HEAD", "GET"):
                connection.send(request(f"{method} {index.path}{below} HTTP/1.1", headers))
            head, get = connection.read_response(method="HEAD"), connection.read_response()
        assert head.status == get.status == 200
        for name in ("Content-Length", "Content-Type", "Etag", "Cache-Control", "Vary"):
            assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("below", ["/nothing/", "/demo/nothing-1.0.tar.gz"])
def test_head_of_a_missing_page_or_file_is_404(index: Index, below: str) -> None:
    index.publish(wheel())
    response = index.request("HEAD", below)
    assert response.status_code == 404


def test_files_accept_range_requests(index_with_file: Index, path: str) -> None:
    assert index_with_file.get(path).headers["Accept-Ranges"] == "bytes"
    assert index_with_file.request("HEAD", path).headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("requested", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=10-", 10, -1),
        ("bytes=-10", -10, -1),
        ("bytes=0-99999999", 0, -1),
        ("bytes=-99999999", 0, -1),
    ],
)
def test_a_range_request_returns_exactly_that_range(
    index_with_file: Index, archive: Archive, path: str, requested: str, first: int, last: int
) -> None:
    size = len(archive.data)
    first, last = first % size, last % size
    response = index_with_file.get(path, Range=requested)
    assert response.status_code == 206
    assert response.content == archive.data[first : last + 1]
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
    assert response.headers["Content-Length"] == str(last - first + 1)
    assert response.headers["ETag"] == f'"{archive.sha256}"'


@pytest.mark.parametrize(
    "requested", ["bytes=0-0,2-3", "bytes=5-3", "items=0-1", "bytes=", "bytes=-"]
)
def test_anything_but_a_single_range_is_ignored(
    index_with_file: Index, archive: Archive, path: str, requested: str
) -> None:
    response = index_with_file.get(path, Range=requested)
    assert response.status_code == 200
    assert response.content == archive.data


@pytest.mark.parametrize("requested", ["bytes={size}-", "bytes=99999999-", "bytes=-0"])
def test_a_range_beyond_the_end_is_416(
    index_with_file: Index, archive: Archive, path: str, requested: str
) -> None:
    size = len(archive.data)
    response = index_with_file.get(path, Range=requested.format(size=size))
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{size}"


def test_a_matching_etag_is_304_without_a_body(index_with_file: Index, path: str) -> None:
    for below in (path, path + ".metadata", "/demo/", "/"):
        tag = index_with_file.get(below).headers["ETag"]
        assert re.fullmatch(r'"[!#-~]+"', tag)
        headers = {
            **index_with_file.authorization,
            "If-None-Match": tag,
            "Accept-Encoding": "gzip, deflate",
        }
        with connect(index_with_file.url) as connection:
            for _ in range(2):
                connection.send(request(f"GET {index_with_file.path}{below} HTTP/1.1", headers))
                response = connection.read_response()
                assert (response.status, response.body) == (304, b"")


@pytest.mark.parametrize(
    ("requested", "status"),
    [("*", 304), ('"other", {tag}', 304), ("W/{tag}", 304), ('"other"', 200)],
)
def test_if_none_match_may_be_a_list_a_weak_etag_or_a_star(
    index_with_file: Index, path: str, requested: str, status: int
) -> None:
    tag = index_with_file.get(path).headers["ETag"]
    assert index_with_file.get(path, If_None_Match=requested.format(tag=tag)).status_code == status


def test_if_range_with_an_outdated_etag_returns_the_whole_file(
    index_with_file: Index, archive: Archive, path: str
) -> None:
    response = index_with_file.get(path, Range="bytes=0-9", If_Range='"stale"')
    assert response.status_code == 200
    assert response.content == archive.data
    fresh = index_with_file.get(path, Range="bytes=0-9", If_Range=f'"{archive.sha256}"')
    assert fresh.status_code == 206


def test_a_file_is_never_compressed(index: Index) -> None:
    archive = wheel(module="x = 1\n" * 20_000)
    stored = Archive(archive.filename, archive.data + b"")
    index.publish(stored)
    for accepted in ("gzip", "gzip, deflate, zstd", "*"):
        response = index.get(f"/demo/{stored.filename}", Accept_Encoding=accepted)
        assert "Content-Encoding" not in response.headers
        assert response.content == stored.data


def test_large_pages_are_compressed_for_clients_that_accept_gzip(index: Index) -> None:
    index.publish(*(wheel(version=f"{number}.0") for number in range(10)))
    headers = {**index.authorization, "Accept": JSON}
    line = f"GET {index.path}/demo/ HTTP/1.1"
    plain = exchange(index.url, request(line, headers))
    assert "Content-Encoding" not in plain.headers
    small = exchange(index.url, request(line, {**headers, "Accept-Encoding": "deflate, gzip"}))
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.body) == plain.body
    assert small.headers["Etag"] != plain.headers["Etag"]


@pytest.mark.parametrize("accepted", ["gzip;q=0", "identity, gzip; q=0.0", "br", "*;q=0", ""])
def test_pages_are_not_compressed_for_clients_without_gzip(index: Index, accepted: str) -> None:
    index.publish(*(wheel(version=f"{number}.0") for number in range(10)))
    response = index.get("/demo/", Accept_Encoding=accepted)
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("accept", [JSON, "text/html"])
def test_a_page_must_be_revalidated_and_changes_with_each_upload(index: Index, accept: str) -> None:
    tags = []
    for version in ("1.0", "2.0", "3.0"):
        index.publish(wheel(version=version))
        response = index.get("/demo/", Accept=accept)
        assert response.headers["Cache-Control"] in ("max-age=0", "no-cache")
        tags.append(response.headers["ETag"])
    assert len(set(tags)) == 3
    assert index.get("/demo/", Accept=accept, If_None_Match=tags[-1]).status_code == 304
    assert index.get("/demo/", Accept=accept, If_None_Match=tags[0]).status_code == 200


def test_a_page_changes_with_yanks_deletions_and_status(index: Index) -> None:
    first, second = wheel(), wheel(version="2.0")
    index.publish(first, second)
    tags = [index.get("/demo/").headers["ETag"]]
    for method, below, body in (
        ("PATCH", f"/files/{first.filename}", {"yanked": True}),
        (
            "PATCH",
            f"/files/{first.filename}",
            {"upload_time": "2020-01-01T00:00Z"},
        ),
        ("PATCH", "/projects/demo", {"status": "deprecated"}),
        ("DELETE", f"/files/{first.filename}", None),
    ):
        index.api_json(method, below, body)
        tags.append(index.get("/demo/", Accept=JSON).headers["ETag"])
    assert len(set(tags)) == len(tags)


def test_the_root_page_changes_with_its_projects(index: Index) -> None:
    index.publish(wheel())
    first = index.get("/").headers["ETag"]
    index.publish(wheel(version="2.0"))
    assert index.get("/", If_None_Match=first).status_code == 304
    index.publish(wheel("other"))
    assert index.get("/", If_None_Match=first).status_code == 200


def test_an_overwrite_changes_the_file_its_etag_and_its_digest(
    index: Index, archive: Archive, path: str
) -> None:
    index.publish(archive)
    before, tag = index.files()[archive.filename], index.get(path).headers["ETag"]
    page_tag = index.get("/demo/").headers["ETag"]
    again = wheel(module="x = 2\n")
    index.publish(again)
    response = index.get(path, If_None_Match=tag)
    assert response.status_code == 200
    assert response.content == again.data
    assert response.headers["ETag"] != tag
    after = index.files()[archive.filename]
    assert after["hashes"] == {"sha256": again.sha256} != before["hashes"]
    assert index.get("/demo/", If_None_Match=page_tag).status_code == 200


def test_caches_must_revalidate_files(index_with_file: Index, path: str) -> None:
    assert index_with_file.get(path).headers["Cache-Control"] == "no-cache"


def test_signatures_are_not_served(index: Index) -> None:
    plain, signed = wheel(), wheel(version="2.0")
    index.publish(plain)
    signature = ("gpg_signature", File(f"{signed.filename}.asc", b"-----BEGIN PGP SIGNATURE-----"))
    assert index.send(encode([*fields(signed), signature])).status_code == 200
    for archive in (plain, signed):
        assert index.get(f"/demo/{archive.filename}.asc").status_code == 404
        assert index.files()[archive.filename].get("gpg-sig", False) is False
    assert "data-gpg-sig" not in index.html()


def test_a_304_has_the_headers_that_caches_need(index_with_file: Index, path: str) -> None:
    for below in (path, path + ".metadata", "/demo/", "/"):
        whole = index_with_file.get(below)
        response = index_with_file.get(below, If_None_Match=whole.headers["ETag"])
        assert response.status_code == 304
        for name in ("ETag", "Cache-Control", "Vary"):
            assert response.headers[name] == whole.headers[name]
