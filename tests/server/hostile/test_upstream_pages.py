"""Hostile upstreams: nothing they send reaches a client unchecked, and nothing causes a 500."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudrepo_server.limits import (
    MAX_REQUIRES_PYTHON,
    MAX_UPSTREAM_URL,
    REMOTE_FIELD,
    REMOTE_PAGE_BYTES,
    REMOTE_PAGE_FILES,
    REMOTE_REDIRECTS,
)
from tests.support.archives import wheel
from tests.support.hostile import MEBIBYTE
from tests.support.index import JSON, Index, Server
from tests.support.memory import memory_growth
from tests.support.raw import connect, request
from tests.support.upstream import Response, Upstream, running_upstream
from tests.support.wait import wait_until

DEMO = wheel("demo", "1.0")
PAGE, FILE = "/simple/demo/", f"/files/{DEMO.filename}"
HTML = "text/html"
SCRIPT = '"><script>alert(1)</script>'

pytestmark = pytest.mark.usefixtures("server_stays_clean")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream() as upstream:
        yield upstream


@pytest.fixture
def files() -> Iterator[Upstream]:
    """Another origin, which no setting names."""
    with running_upstream() as files:
        files.respond(FILE, DEMO.data)
        yield files


@pytest.fixture
def index(server: Server, upstream: Upstream) -> Index:
    return server.repository(upstream=[upstream.url_with_login])


def page(**file: Any) -> str:  # noqa: ANN401 (any JSON)
    whole = {"filename": DEMO.filename, "url": FILE, "hashes": {"sha256": DEMO.sha256}, **file}
    return json.dumps({"meta": {"api-version": "1.0"}, "name": "demo", "files": [whole]})


def link(href: str = f"{FILE}#sha256={DEMO.sha256}", attributes: str = "") -> str:
    return f'<a href="{href}" {attributes}>{DEMO.filename}</a>'


def assert_bad_gateway(index: Index) -> str:
    """Read the page as HTML and JSON, and the file; return the reason of the rejection."""
    for response in (
        index.get("/demo/", Accept=JSON),
        index.get("/demo/"),
        index.get(f"/demo/{DEMO.filename}"),
    ):
        assert response.status_code == 502, (response.status_code, response.text[:500])
        assert "upstream" in response.json()["error"]
        assert len(response.text) < 1000
    error: str = response.json()["error"]
    return error


BAD_JSON = {
    "nothing": "",
    "not JSON": "<html>",
    "not UTF-8": "\udcff",
    "a list": "[]",
    "no files": "{}",
    "files that are no list": '{"files": {}}',
    "a file that is no object": '{"files": [1]}',
    "a file without a name": '{"files": [{"url": "x"}]}',
    "a name that is a number": page(filename=1),
    "a URL that is a number": page(url=1),
    "a URL with a bad port": page(url="http://h:abc/x"),
    "a URL with a bad address": page(url="http://[x/y"),
    "a URL of another scheme": page(url="file:///etc/passwd"),
    "a script as URL": page(url="javascript:alert(1)"),
    "a URL with a line break": page(url="/x\r\nX-Evil: y"),
    "a URL with a bad host name": page(url="http://xn--a/"),
    "hashes that are a list": page(hashes=[]),
    "a digest that is a list": page(hashes={"sha256": []}),
    "a digest that is markup": page(hashes={"sha256": SCRIPT}),
    "a metadata digest that is markup": page(**{"core-metadata": {"sha256": SCRIPT}}),
    "a metadata digest that is a list": page(**{"core-metadata": {"sha256": []}}),
    "metadata that are a list": page(**{"core-metadata": []}),
    "a size that is text": page(size="x"),
    "a size below zero": page(size=-1),
    "a huge size": page().replace('"url"', '"size": 1' + "0" * 5000 + ', "url"'),
    "an upload time that is markup": page(**{"upload-time": SCRIPT}),
    "a requires-python that is a list": page(**{"requires-python": []}),
    "a long requires-python": page(**{"requires-python": "x" * (MAX_REQUIRES_PYTHON + 1)}),
    "a long reason": page(yanked="x" * (REMOTE_FIELD + 1)),
    "a long URL": page(url="x" * (REMOTE_FIELD + 1)),
    "deep nesting": '{"x": ' + "[" * 200_000,
    "a lone surrogate": page(yanked="\ud800").replace("\\ud800", "\udced\udca0\udc80"),
}
BAD_HTML = {
    "a digest that is markup": link(f"{FILE}#sha256=%22&quot;&gt;<script>"),
    "a metadata digest that is markup": link(
        attributes="data-core-metadata='sha256=\"><script>'",
    ),
    "a link that does not end": '<a href="x',
    "many links that do not end": '<a href="' * 100_000,
    "a character of 5,000 digits": link("&#" + "9" * 5000 + ";"),
    "a URL of another scheme": link(f"ftp://127.0.0.1/{DEMO.filename}"),
    "a URL with a bad port": link(f"http://h:abc/{DEMO.filename}"),
    "a URL with a space": link(f"/a b/{DEMO.filename}"),
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_a_malformed_json_page_is_a_bad_gateway(
    index: Index, upstream: Upstream, what: str
) -> None:
    upstream.respond(PAGE, BAD_JSON[what])
    assert_bad_gateway(index)


@pytest.mark.parametrize("what", BAD_HTML)
def test_a_malformed_html_page_is_a_bad_gateway(
    index: Index, upstream: Upstream, what: str
) -> None:
    upstream.respond(PAGE, BAD_HTML[what], content_type=HTML)
    assert_bad_gateway(index)


@pytest.mark.parametrize(
    "content_type",
    ["", "image/png", "text", "text/html/x", "application/vnd.pypi.simple.v9+json", "\xff"],
)
def test_a_page_of_another_type_is_a_bad_gateway(
    index: Index, upstream: Upstream, content_type: str
) -> None:
    upstream.respond(PAGE, page(), content_type=content_type)
    assert_bad_gateway(index)


def test_a_page_of_an_unknown_charset_is_read(index: Index, upstream: Upstream) -> None:
    upstream.respond(PAGE, link(), content_type="text/html; charset=nonsense")
    assert list(index.files()) == [DEMO.filename]


@pytest.mark.parametrize("status", [204, 300, 304, 400, 401, 500, 999])
def test_another_status_is_a_bad_gateway(index: Index, upstream: Upstream, status: int) -> None:
    upstream.respond(PAGE, "", status=status)
    assert_bad_gateway(index)


TEXTS = {"requires-python": SCRIPT, "yanked": SCRIPT, "core-metadata": {"sha256": DEMO.sha256}}


def test_the_texts_of_an_upstreams_page_are_escaped(index: Index, upstream: Upstream) -> None:
    attributes = "data-requires-python='\"><script>' data-yanked='\"><script>'"
    for body, content_type in ((page(**TEXTS), JSON), (link(attributes=attributes), HTML)):
        upstream.respond(PAGE, body, content_type=content_type)
        assert "<script" not in index.html()
        (file,) = index.files().values()
        assert file["yanked"].startswith('"><script>')


def test_names_that_no_repository_accepts_are_left_out(index: Index, upstream: Upstream) -> None:
    whole = json.loads(page())
    names = ["", ".", "..", "a/b.whl", "a b.whl", SCRIPT, "ä.whl", "\x00.whl", "x" * 300 + ".whl"]
    whole["files"] += [{"filename": name, "url": FILE, "hashes": {}} for name in names]
    upstream.respond(PAGE, json.dumps(whole))
    assert list(index.files()) == [DEMO.filename]
    links = "".join(f'<a href="{href}">x</a>' for href in ("../", "/", "#x", "mailto:x@y", "?a=b"))
    upstream.respond(
        PAGE, links + "<a name=x>x</a><A\nHREF='" + FILE + "'>x</A>", content_type=HTML
    )
    assert list(index.files()) == [DEMO.filename]


@pytest.mark.parametrize(
    ("digests", "fragment"),
    [
        ({}, ""),
        ({"md5": DEMO.md5}, f"#md5={DEMO.md5}"),
        ({"md5": DEMO.md5, "sha256": DEMO.sha256}, f"#sha256={DEMO.sha256}"),
    ],
)
def test_files_of_an_upstream_are_listed_with_the_upstreams_digests(
    index: Index, upstream: Upstream, digests: dict[str, str], fragment: str
) -> None:
    upstream.respond(PAGE, page(hashes=digests))
    assert f'{DEMO.filename}{fragment}"' in index.html()
    assert index.files()[DEMO.filename]["hashes"] == digests


@pytest.mark.parametrize("base", ["/files/", "../../files/", "{origin}/files/"])
def test_the_files_of_a_page_with_a_base_are_relative_to_it(
    index: Index, upstream: Upstream, base: str
) -> None:
    element = f'<base href="{base.format(origin=upstream.origin)}">'
    upstream.respond(PAGE, element + link(DEMO.filename), content_type=HTML)
    upstream.respond(FILE, DEMO.data)
    assert index.get(f"/demo/{DEMO.filename}").content == DEMO.data


def test_a_base_of_another_origin_is_rejected_like_a_file_of_another_origin(
    index: Index, upstream: Upstream, files: Upstream
) -> None:
    upstream.respond(PAGE, f'<base href="{files.origin}/files/">{link("x.zip")}', content_type=HTML)
    assert "origin" in assert_bad_gateway(index)
    assert files.requests == []


def bomb() -> Response:
    body = gzip.compress(bytes(1 << 20)) * (4 * REMOTE_PAGE_BYTES >> 20)
    return Response(body, headers={"Content-Encoding": "gzip"})


LARGE: dict[str, Callable[[], Response]] = {
    "plain": lambda: Response(b" " * (REMOTE_PAGE_BYTES + 1)),
    "compressed": lambda: Response(
        gzip.compress(bytes(20 * REMOTE_PAGE_BYTES), 9), headers={"Content-Encoding": "gzip"}
    ),
    "many compressed": bomb,
    "many files": lambda: Response(b'{"files": [' + b"{}," * 3_000_000 + b"{}]}"),
    "many valid files": lambda: Response(
        b'{"files": ['
        + b",".join(b'{"filename":"d-%d.zip","url":"x"}' % n for n in range(REMOTE_PAGE_FILES + 1))
        + b"]}"
    ),
    "many links": lambda: Response(
        b"".join(b"<a href=d-%d.zip></a>" % n for n in range(REMOTE_PAGE_FILES + 1)), HTML
    ),
    "a link with many attributes": lambda: Response(
        b"<a " + b"a " * (8 * MEBIBYTE - 8) + b">", HTML
    ),
    "an unknown encoding": lambda: Response(page().encode(), headers={"Content-Encoding": "br"}),
    "no gzip": lambda: Response(page().encode(), headers={"Content-Encoding": "gzip"}),
    "half of a gzip": lambda: Response(
        gzip.compress(page().encode())[:-9], headers={"Content-Encoding": "gzip"}
    ),
}


@pytest.mark.parametrize("what", LARGE)
def test_the_size_of_an_upstreams_page_is_limited(
    own_server: Server, upstream: Upstream, what: str
) -> None:
    index = own_server.repository(upstream=[upstream.url])
    upstream.responses[PAGE] = LARGE[what]()
    with memory_growth(own_server.process.pid) as growth:
        assert_bad_gateway(index)
    # There is a copy of the page as it was received, as it was decoded, and as it was parsed.
    assert growth.bytes < 8 * REMOTE_PAGE_BYTES


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("an unknown encoding", "a content encoding that was not requested"),
        ("no gzip", "is not valid gzip"),
        ("half of a gzip", "ended early"),
        ("compressed", f"too large: the limit is {REMOTE_PAGE_BYTES} bytes"),
    ],
)
def test_the_response_says_why_a_page_cannot_be_read(
    index: Index, upstream: Upstream, what: str, message: str
) -> None:
    upstream.responses[PAGE] = LARGE[what]()
    assert message in index.get("/demo/").json()["error"]


def test_digests_that_are_not_used_take_little_memory(
    own_server: Server, upstream: Upstream
) -> None:
    index = own_server.repository(upstream=[upstream.url])
    upstream.respond(PAGE, page(hashes={f"{number:x}": "" for number in range(1_200_000)}))
    with memory_growth(own_server.process.pid) as growth:
        assert index.get("/demo/").status_code == 200
    assert growth.bytes < 4 * REMOTE_PAGE_BYTES


def test_a_compressed_page_is_read(index: Index, upstream: Upstream) -> None:
    upstream.respond(PAGE, gzip.compress(page().encode()), headers={"Content-Encoding": "gzip"})
    assert list(index.files()) == [DEMO.filename]


def test_files_of_another_origin_are_never_requested(
    server: Server, index: Index, upstream: Upstream, files: Upstream
) -> None:
    for url in (files.origin, files.origin.replace("http:", ""), server.url):
        upstream.respond(PAGE, page(url=url + FILE))
        assert "upstream_file_origins" in assert_bad_gateway(index)
        upstream.respond(PAGE, link(url + FILE), content_type=HTML)
        assert "upstream_file_origins" in assert_bad_gateway(index)
    assert files.requests == []


def test_files_of_an_origin_that_the_setting_names_are_served(
    index: Index, upstream: Upstream, files: Upstream
) -> None:
    index.set(upstream_file_origins=[files.origin])
    login = files.origin.replace("://", "://other:login@")
    upstream.respond(PAGE, page(url=login + FILE, **TEXTS))
    files.respond(FILE + ".metadata", DEMO.metadata)
    assert index.get(f"/demo/{DEMO.filename}").content == DEMO.data
    assert index.get(f"/demo/{DEMO.filename}.metadata").content == DEMO.metadata
    # The requests had no login: neither the upstream's, nor the one in the URL on its page.
    assert [path for path, _ in files.requests] == [FILE, FILE + ".metadata"]
    assert not any("Authorization" in headers for _, headers in files.requests)


@pytest.mark.parametrize("path", [PAGE, FILE])
def test_redirects_to_another_origin_are_not_followed(
    index: Index, upstream: Upstream, files: Upstream, path: str
) -> None:
    upstream.respond(PAGE, page())
    upstream.respond(path, status=302, headers={"Location": files.origin + path})
    response = index.get(f"/demo/{DEMO.filename}")
    assert response.status_code == 502
    assert "upstream_file_origins" in response.json()["error"]
    assert files.requests == []


def test_redirects_to_a_named_origin_carry_no_login(
    index: Index, upstream: Upstream, files: Upstream
) -> None:
    index.set(upstream_file_origins=[files.origin])
    upstream.respond(PAGE, page())
    login = files.origin.replace("://", "://other:login@")
    upstream.respond(FILE, status=307, headers={"Location": login + FILE})
    assert index.get(f"/demo/{DEMO.filename}").content == DEMO.data
    ((_, headers),) = files.requests
    assert "Authorization" not in headers
    assert all("Authorization" in headers for _, headers in upstream.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_each_status_are_followed(
    index: Index, upstream: Upstream, status: int
) -> None:
    upstream.respond(PAGE, status=status, headers={"Location": "/other/demo/"})
    upstream.respond("/other/demo/", page())
    upstream.respond(FILE, status=status, headers={"Location": "/moved"})
    upstream.respond("/moved", DEMO.data)
    assert index.file(DEMO).content == DEMO.data


@pytest.mark.parametrize("status", [300, 304, 305, 306])
def test_other_redirects_are_a_bad_gateway(index: Index, upstream: Upstream, status: int) -> None:
    upstream.respond(PAGE, status=status, headers={"Location": "/other/demo/"})
    upstream.respond("/other/demo/", page())
    assert_bad_gateway(index)


def test_redirects_on_its_own_origin_carry_the_login(index: Index, upstream: Upstream) -> None:
    upstream.respond(PAGE, page())
    upstream.respond(FILE, status=301, headers={"Location": "../moved"})
    upstream.respond("/moved", DEMO.data)
    assert index.get(f"/demo/{DEMO.filename}").content == DEMO.data
    assert all("Authorization" in headers for _, headers in upstream.requests)


@pytest.mark.parametrize("location", [None, "", FILE, "http://h:abc/", "//", "file:///"])
def test_an_invalid_or_endless_redirect_is_a_bad_gateway(
    index: Index, upstream: Upstream, location: str | None
) -> None:
    upstream.respond(PAGE, page())
    headers = {} if location is None else {"Location": location}
    upstream.respond(FILE, status=302, headers=headers)
    assert index.get(f"/demo/{DEMO.filename}").status_code == 502
    assert len(upstream.requests) <= REMOTE_REDIRECTS + 2


def test_a_file_has_the_content_type_of_files(index: Index, upstream: Upstream) -> None:
    evil = "<script>alert(1)</script>"
    upstream.respond(PAGE, page(**TEXTS))
    for path in (FILE, FILE + ".metadata"):
        below = f"/demo/{path.rpartition('/')[2]}"
        for status, expected in ((200, 200), (404, 404), (401, 502), (500, 502), (201, 502)):
            upstream.respond(path, evil, content_type=HTML, status=status)
            response = index.get(below)
            assert response.status_code == expected
            assert "html" not in response.headers["Content-Type"]
            assert (evil in response.text) == (status == 200)
            assert "html" not in index.request("HEAD", below).headers["Content-Type"]


@pytest.mark.parametrize("value", ["a\x01b", "\x7f", "a\x0bb", "\x1b[31m"])
def test_headers_with_control_characters_are_not_forwarded(
    index: Index, upstream: Upstream, value: str
) -> None:
    upstream.respond(PAGE, page())
    names = ("ETag", "Last-Modified", "Content-Range", "Accept-Ranges")
    upstream.respond(FILE, DEMO.data, headers=dict.fromkeys(names, value))
    for method in ("GET", "HEAD"):
        response = index.request(method, f"/demo/{DEMO.filename}")
        assert (response.status_code, response.headers.keys() & {*names}) == (200, set())


def test_slow_downloads_from_one_upstream_do_not_delay_another(
    server: Server, index: Index, upstream: Upstream, files: Upstream
) -> None:
    number = 110
    released = threading.Event()

    def respond() -> Response:
        released.wait(60)
        return Response(DEMO.data)

    upstream.respond(PAGE, page())
    upstream.responses[FILE] = respond
    files.respond(PAGE, page())
    other = server.repository(upstream=[files.url])
    head = request(f"GET {index.path}/demo/{DEMO.filename} HTTP/1.1", index.authorization)
    with contextlib.ExitStack() as downloads:
        for _ in range(number):
            downloads.enter_context(connect(index.url)).send(head)
        wait_until(
            lambda: [path for path, _ in upstream.requests].count(FILE) == number,
            "the requests for the file",
        )
        assert other.get("/demo/").status_code == 200
        released.set()


def test_a_large_file_takes_no_memory(own_server: Server, upstream: Upstream) -> None:
    index = own_server.repository(upstream=[upstream.url])
    upstream.respond(PAGE, page())
    upstream.respond(FILE, bytes(64 * MEBIBYTE))
    with memory_growth(own_server.process.pid) as growth:
        assert len(index.get(f"/demo/{DEMO.filename}").content) == 64 * MEBIBYTE
    assert growth.bytes < 32 * MEBIBYTE


INVALID_URLS = [
    *("http://h:abc/", "http://h:99999/", "http://h:0/", "http://xn--a/", "http://[x]/", "http://"),
    *(
        "http://a b/",
        "http://%zz/",
        "http://h/\x00",
        "http://" + "a" * 64 + ".example/",
        "https://[",
    ),
    *("http://" + "a." * 200 + "example/", "http://a..example/", "http://h/?x=y", "http://h/#x"),
    *("http://user:secret@h:abc/", "http://h/" + "x" * 5000, "ftp://h/", "//h/", "http:///x"),
]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://h",
            "https://h/",
            "HTTPS://H/",
            "Http://h/",
            "http://h:1/",
            "http://h:65535/",
            "http://h./",
        ),
        *("http://[::1]:8080/", "http://127.0.0.1/simple", "http://bücher.example/"),
        *("http://" + "a" * 63 + ".example/", "http://my_index/", "http://user:p%40ss@h/x/"),
        "http://h/".ljust(MAX_UPSTREAM_URL, "x"),
    ],
)
def test_a_valid_upstream_url_is_accepted(server: Server, url: str) -> None:
    index = server.repository(upstream=[url])
    assert len(index.api_json("GET")["upstream"]) == 1


@pytest.mark.parametrize("url", INVALID_URLS)
def test_an_invalid_upstream_url_is_rejected_when_it_is_set(server: Server, url: str) -> None:
    index = server.repository()
    for settings in ({"upstream": [url]}, {"upstream_file_origins": [url]}):
        response = index.api("PATCH", json=settings)
        assert response.status_code == 400
        assert "secret" not in response.text
        assert len(response.text) < 1000
        assert "http:// or https://" in response.json()["error"]
    assert index.get("/demo/").status_code == 404


@pytest.mark.parametrize("origin", ["http://h/", "http://h/x", "http://u@h", "HTTP://h", "h", ""])
def test_an_invalid_file_origin_is_rejected(server: Server, origin: str) -> None:
    response = server.repository().api("PATCH", json={"upstream_file_origins": [origin]})
    assert response.status_code == 400
    assert "upstream_file_origins" in response.json()["error"]
