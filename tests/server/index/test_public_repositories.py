"""Public repositories: anonymous clients may read them, and nobody may write there."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import JSON, Index, Server


@pytest.fixture
def public(server: Server) -> Index:
    return server.repository(public=True)


def read(index: Index, below: str = "/", method: str = "GET", **options: Any) -> requests.Response:  # noqa: ANN401 (requests' own options)
    """Send a request to the public URL, without credentials."""
    return index.server.request(method, f"/public{index.path}{below}", **options)


def test_anonymous_clients_read_what_users_read(public: Index) -> None:
    archive = wheel()
    public.publish(archive)
    for below in ("", "/", "/simple/", "/demo", "/demo/", "/simple/demo/"):
        response = read(public, below)
        assert response.status_code == 200
        assert "demo" in response.text
    path = f"/demo/{archive.filename}"
    assert read(public, path).content == archive.data
    assert read(public, path + ".metadata").content == archive.metadata
    assert read(public, path, "HEAD").headers["Content-Length"] == str(len(archive.data))
    assert read(public, path, headers={"Range": "bytes=0-3"}).content == archive.data[:4]


@pytest.mark.parametrize("below", ["/demo/", "/simple/demo", "/demo"])
def test_links_stay_below_the_public_url(public: Index, below: str) -> None:
    archive = wheel()
    public.publish(archive)
    page = read(public, below, headers={"Accept": JSON}).json()
    url = page["files"][0]["url"]
    assert url == f"/public{public.path}/demo/{archive.filename}"
    assert f'href="{url}#sha256={archive.sha256}"' in read(public, below).text
    assert public.server.request("GET", url).content == archive.data


def test_cached_pages_of_both_urls_are_kept_apart(public: Index) -> None:
    public.publish(wheel())
    for _ in range(2):
        private, anonymous = public.html("/demo/"), read(public, "/demo/").text
        assert "/public/" not in private
        assert f"/public{public.path}/demo/" in anonymous


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("below", ["", "/", "/demo/", "/demo/demo-1.0-py3-none-any.whl"])
@pytest.mark.parametrize("logged_in", [True, False])
def test_every_write_is_405(public: Index, method: str, below: str, *, logged_in: bool) -> None:
    form = encode(fields(wheel()))
    response = read(
        public,
        below,
        method,
        data=form.body,
        headers={"Content-Type": form.content_type},
        auth=public.auth if logged_in else None,
    )
    assert response.status_code == 405
    assert "Only Reads are allowed" in response.text
    assert response.reason == "Only Reads are allowed"
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD"}
    assert public.json("/")["projects"] == []


@pytest.mark.parametrize("below", ["", "/", "/simple/", "/demo/", "/demo/x.whl", "/-/ping"])
def test_a_private_repository_is_not_found(index: Index, below: str) -> None:
    index.publish(wheel())
    response = read(index, below)
    assert response.status_code == 404
    assert "repository could not be found" in response.json()["error"]
    nowhere = index.server.request("GET", f"/public/repositories/nowhere{below}")
    assert (nowhere.status_code, nowhere.headers["Content-Type"]) == (404, "application/json")
    # The response does not reveal which private repositories exist.
    assert response.text.replace(index.name, "nowhere") == nowhere.text


def test_the_private_url_of_a_public_repository_requires_credentials(public: Index) -> None:
    public.publish(wheel())
    assert public.request("GET", "/demo/", auth=None).status_code == 401
    assert public.request("GET", "/demo/").status_code == 200


def test_wrong_credentials_are_ignored_at_the_public_url(public: Index) -> None:
    public.publish(wheel())
    assert read(public, "/demo/", auth=("nobody@example.com", "wrong-one")).status_code == 200


def test_the_setting_public_takes_effect_at_once(index: Index) -> None:
    index.publish(wheel())
    statuses = [read(index, "/demo/").status_code]
    for public in (True, False, True):
        index.set(public=public)
        statuses.append(read(index, "/demo/").status_code)
    assert statuses == [404, 200, 404, 200]


@pytest.mark.parametrize("path", ["/public/repositories", "/public/repositories/"])
def test_the_public_list_of_repositories_is_404(server: Server, path: str) -> None:
    assert server.request("GET", path).status_code == 404


def test_anonymous_reads_are_in_the_journal(public: Index) -> None:
    read(public, "/demo/")
    (entry,) = public.journal()
    assert entry["path"] == f"/public{public.path}/demo/"
    assert (entry["user"], entry["status"]) == (None, 404)
