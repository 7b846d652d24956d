"""The URLs of a repository, and the methods that they support."""

from __future__ import annotations

import re

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.raw import exchange, request


def test_a_post_to_the_repository_url_stores_the_file_without_a_redirect(index: Index) -> None:
    archive = wheel()
    response = index.send(encode(fields(archive)), "")
    assert response.status_code == 200
    assert index.file(archive).content == archive.data


def test_a_post_to_the_url_with_a_trailing_slash_stores_the_file(index: Index) -> None:
    archive = wheel()
    response = index.send(encode(fields(archive)), "/")
    assert response.status_code == 200
    assert index.file(archive).content == archive.data


def test_the_page_of_a_project_is_below_the_repository_url(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    response = index.get("/demo/")
    assert response.status_code == 200
    assert f">{archive.filename}</a>" in response.text


@pytest.mark.parametrize("path", ["/", "/simple/"])
def test_the_root_lists_the_projects(index: Index, path: str) -> None:
    index.publish(wheel("Alpha"), wheel("beta_two"), wheel("beta.two", "2.0"))
    response = index.get(path)
    assert response.status_code == 200
    assert re.findall(r"<a [^>]*>([^<]*)</a>", response.text) == ["alpha", "beta-two"]


@pytest.mark.parametrize("accept", ["text/html", "application/vnd.pypi.simple.v1+json"])
def test_the_page_below_simple_is_the_same(index: Index, accept: str) -> None:
    index.publish(wheel())
    page, simple = (index.get(path, Accept=accept) for path in ("/demo/", "/simple/demo/"))
    assert (page.status_code, simple.status_code) == (200, 200)
    assert page.content == simple.content


@pytest.mark.parametrize(
    ("bare", "slashed"), [("/demo", "/demo/"), ("/simple/demo", "/simple/demo/"), ("", "/")]
)
def test_a_missing_trailing_slash_is_not_redirected(index: Index, bare: str, slashed: str) -> None:
    index.publish(wheel())
    response = index.get(bare)
    assert response.status_code == 200
    assert response.content == index.get(slashed).content


@pytest.mark.parametrize("name", ["Foo.Bar", "foo_bar", "FOO--bar", "foo-bar"])
def test_every_spelling_of_a_name_returns_the_page(index: Index, name: str) -> None:
    index.publish(wheel("foo_bar"))
    response = index.get(f"/{name}/")
    assert response.status_code == 200
    assert response.content == index.get("/foo-bar/").content


def test_an_unknown_project_is_404(index: Index) -> None:
    response = index.get("/nothing/")
    assert response.status_code == 404
    assert "nothing" in response.json()["error"]


@pytest.mark.parametrize("path", ["", "/", "/simple/", "/demo/", "/demo/x.whl", "/-/ping"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_an_unknown_repository_is_404_with_a_json_error(
    server: Server, index: Index, method: str, path: str
) -> None:
    response = server.request(method, "/repositories/nowhere" + path, auth=index.auth)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/json"
    if method != "HEAD":
        assert "repository could not be found" in response.json()["error"]


@pytest.mark.parametrize("simple", ["+simple", "%2Bsimple", "%2bsimple"])
def test_the_url_layout_of_devpi_is_404(index: Index, simple: str) -> None:
    index.publish(wheel())
    assert index.get(f"/{simple}/demo/").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["", "/", "/demo/", "/demo/demo-1.0-py3-none-any.whl"])
def test_unsupported_methods_are_405_with_allow(index: Index, method: str, path: str) -> None:
    index.publish(wheel())
    response = index.request(method, path)
    assert response.status_code == 405
    assert {"GET", "HEAD"} <= set(re.findall(r"\w+", response.headers["Allow"]))
    assert response.json()["error"]
    assert len(index.files()) == 1


@pytest.mark.parametrize("path", ["/demo/", "/simple/", "/demo/demo-1.0-py3-none-any.whl"])
def test_a_post_below_the_repository_url_is_405(index: Index, path: str) -> None:
    response = index.send(encode(fields(wheel())), path)
    assert response.status_code == 405
    assert "POST" not in response.headers["Allow"]
    assert index.get("/demo/").status_code == 404


def test_a_post_without_a_repository_is_405(server: Server, index: Index) -> None:
    assert server.request("POST", "/repositories/", auth=index.auth).status_code == 405


def test_a_path_is_decoded_once(index: Index) -> None:
    archive = wheel(version="1.0+local.1", filename="demo-1.0+local.1-py3-none-any.whl")
    index.publish(archive)
    encoded = archive.filename.replace("+", "%2B")
    assert index.get(f"/%64emo/{encoded}").content == archive.data
    assert index.get(f"/demo/{encoded.replace('%', '%25')}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/demo/../demo/",
        "/demo/%2e%2e/demo/",
        "/./demo/",
        "/demo%2fdemo-1.0-py3-none-any.whl",
        "/demo/..%2fdemo%2fdemo-1.0-py3-none-any.whl",
        "/demo/..%5cdemo",
        "/demo%00/",
        "/demo/%00",
        "/demo/%0d%0ademo",
        "/%ff/",
        "/demo/demo-1.0-py3-none-any.whl/",
        "/demo//demo-1.0-py3-none-any.whl",
    ],
)
def test_a_path_that_leads_out_of_the_repository_is_404(index: Index, path: str) -> None:
    index.publish(wheel())
    line = f"GET {index.path}{path} HTTP/1.1"
    response = exchange(index.url, request(line, index.authorization))
    assert response.status == 404
