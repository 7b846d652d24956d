"""The JSON pages of the simple API, and the negotiation of content types."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest

from tests.support.archives import Archive, sdist, wheel
from tests.support.index import HTML, JSON, Index
from tests.support.raw import exchange, request

TEXT = "text/html; charset=utf-8"

PIP = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
    "text/html; q=0.01"
)
UV = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.01"
)
POETRY = "application/vnd.pypi.simple.v1+json, */*;q=0.1"


def content_type(index: Index, accept: str | None, query: str = "") -> str:
    """Return the content type of the root page, after checking that project pages have the same."""
    index.publish(wheel())
    found = set()
    for below in ("/", "/demo/"):
        response = index.get(below + query, Accept=accept)
        assert response.status_code == 200
        found.add(response.headers["Content-Type"])
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize("accept", [PIP, UV, POETRY], ids=["pip and pdm", "uv", "poetry"])
def test_installers_get_json(index: Index, accept: str) -> None:
    assert content_type(index, accept) == JSON


@pytest.mark.parametrize("accept", ["*/*", None, "", "text/html,*/*;q=0.8"])
def test_clients_without_a_preference_get_html(index: Index, accept: str | None) -> None:
    assert content_type(index, accept) == TEXT


def test_html_of_version_1_is_returned_if_it_is_requested_alone(index: Index) -> None:
    assert content_type(index, HTML) == HTML


@pytest.mark.parametrize(("latest", "given"), [("json", JSON), ("html", HTML)])
def test_the_latest_version_is_returned_with_its_real_content_type(
    index: Index, latest: str, given: str
) -> None:
    assert content_type(index, f"application/vnd.pypi.simple.latest+{latest}") == given


@pytest.mark.parametrize(
    "accept",
    ["image/png", "application/json", "application/vnd.pypi.simple.v2+json", "text/plain;q=1"],
)
def test_unsupported_content_types_are_406(index: Index, accept: str) -> None:
    index.publish(wheel())
    response = index.get("/demo/", Accept=accept)
    assert response.status_code == 406
    assert JSON in response.json()["error"]
    assert response.headers["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        (f"{JSON};q=0.1, {HTML};q=0.9", HTML),
        (f"{HTML};q=0.1, {JSON};q=0.9", JSON),
        (f"text/html;q=0.5, {JSON};q=0.4", TEXT),
        (f"{JSON};q=0, text/html", TEXT),
        (f"{JSON};q=0, */*;q=0.5", TEXT),
        ("text/*", TEXT),
        ("application/*", HTML),
    ],
)
def test_the_weights_of_the_accept_header_decide(index: Index, accept: str, given: str) -> None:
    assert content_type(index, accept) == given


@pytest.mark.parametrize("accept", [f"{JSON};q=0", "text/html;q=0", "*/*;q=0"])
def test_a_content_type_with_weight_zero_is_406(index: Index, accept: str) -> None:
    assert index.get("/", Accept=accept).status_code == 406


def test_several_accept_headers_are_one_list(index: Index) -> None:
    headers = {**index.authorization, "Accept": "text/plain", "accept": JSON}
    response = exchange(index.url, request(f"GET {index.path}/ HTTP/1.1", headers))
    assert response.headers["Content-Type"] == JSON


def test_the_format_parameter_overrides_the_accept_header(index: Index) -> None:
    assert content_type(index, "text/html", f"?format={JSON.replace('+', '%2B')}") == JSON


def test_every_page_varies_with_the_accept_header(index: Index) -> None:
    index.publish(wheel())
    for below in ("/", "/simple/", "/demo/", "/simple/demo/"):
        for accept in (JSON, "text/html"):
            vary = index.get(below, Accept=accept).headers["Vary"]
            assert {"Accept", "Accept-Encoding", "Authorization"} <= set(vary.split(", "))


def test_a_page_has_the_api_version_and_the_normalized_name(index: Index) -> None:
    index.publish(wheel("Foo_Bar"))
    page = index.json("/FOO.bar/")
    assert page["meta"] == {"api-version": "1.4"}
    assert page["name"] == "foo-bar"


def test_each_version_is_listed_once_in_version_order(index: Index) -> None:
    index.publish(
        wheel(version="1.10"), wheel(version="1.9"), sdist(version="1.9"), wheel(version="2.0rc1")
    )
    assert index.json()["versions"] == ["1.9", "1.10", "2.0rc1"]


def test_every_file_has_a_digest(index: Index) -> None:
    built, source = wheel(), sdist()
    index.publish(built, source)
    files = index.files()
    for archive in (built, source):
        assert files[archive.filename]["hashes"] == {"sha256": archive.sha256}


def test_the_size_is_that_of_the_file(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    size = index.files()[archive.filename]["size"]
    assert size == len(archive.data)
    assert index.file(archive).headers["Content-Length"] == str(size)


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00.25Z", "2026-01-31T12:00:00.250000Z"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00.000000Z"),
        ("0999-12-31T12:00:00Z", "0999-12-31T12:00:00.000000Z"),
    ],
)
def test_a_changed_upload_time_is_shown_in_utc(index: Index, time: str, shown: str) -> None:
    archive = wheel()
    index.publish(archive)
    index.api_json("PATCH", f"/files/{archive.filename}", {"upload_time": time})
    assert index.files()[archive.filename]["upload-time"] == shown


def test_an_upload_time_has_the_specified_format(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    time = index.files()[archive.filename]["upload-time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", time)


def test_yanked_is_a_boolean_or_a_reason(index: Index) -> None:
    kept, plain, explained = (wheel(version=version) for version in ("1.0", "2.0", "3.0"))
    index.publish(kept, plain, explained)
    index.api_json("PATCH", f"/files/{plain.filename}", {"yanked": True})
    index.api_json("PATCH", f"/files/{explained.filename}", {"yanked": "it breaks"})
    files = index.files()
    assert files[kept.filename]["yanked"] is False
    assert files[plain.filename]["yanked"] is True
    assert files[explained.filename]["yanked"] == "it breaks"


def test_core_metadata_is_a_digest_or_false(index: Index) -> None:
    built, source = wheel(), sdist()
    index.publish(built, source)
    files = index.files()
    digest = {"sha256": Archive("METADATA", built.metadata).sha256}
    assert files[built.filename]["core-metadata"] == digest
    assert files[source.filename]["core-metadata"] is False
    # pip 22.3 to 23.1 fails if this key exists: https://github.com/pypa/pip/issues/12042
    assert "dist-info-metadata" not in files[built.filename]


def test_pages_have_no_keys_of_unsupported_features(index: Index) -> None:
    index.publish(wheel())
    page = index.json()
    assert set(page) == {"meta", "name", "versions", "files"}
    assert set(page["meta"]) == {"api-version"}
    unwanted = {"namespaces", "tracks", "alternate-locations"}
    assert not unwanted & set(page["files"][0])


def test_the_root_page_lists_the_projects(index: Index) -> None:
    assert index.json("/") == {"meta": {"api-version": "1.4"}, "projects": []}
    index.publish(wheel("Beta"), wheel("alpha_one"))
    assert index.json("/simple/")["projects"] == [{"name": "alpha-one"}, {"name": "beta"}]


@pytest.mark.parametrize("below", ["/demo/", "/demo", "/simple/demo/", "/simple/demo"])
def test_urls_work_from_every_url_of_a_page(index: Index, below: str) -> None:
    archive = wheel(version="1.0+local.1")
    index.publish(archive)
    url = index.json(below)["files"][0]["url"]
    assert urljoin(index.url + below, url).startswith(index.url + "/demo/")
    assert index.linked(url, below).content == archive.data


def test_html_and_json_list_the_same_files(index: Index) -> None:
    archives = [wheel(version=f"{number}.0") for number in range(5)]
    index.publish(*archives, sdist())
    listed = re.findall(r"<a [^>]*>([^<]*)</a>", index.html())
    assert sorted(listed) == sorted(index.files())
    assert len(listed) == 6


def test_the_status_of_a_project_is_on_its_page(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    assert "project-status" not in index.json()
    index.api_json("PATCH", "/projects/demo", {"status": "archived", "reason": "moved"})
    assert index.json()["project-status"] == {"status": "archived", "reason": "moved"}
    assert len(index.files()) == 1
    index.api_json("PATCH", "/projects/demo", {"status": "quarantined"})
    page = index.json()
    assert page["project-status"] == {"status": "quarantined"}
    assert page["files"] == []
    index.api_json("PATCH", "/projects/demo", {"status": "active"})
    assert "project-status" not in index.json()


def test_requires_python_is_listed_if_it_is_known(index: Index) -> None:
    built, source = wheel(requires_python=">=3.8"), sdist(requires_python=">=3.9")
    unspecified = wheel(version="2.0")
    index.publish(built, source, unspecified)
    files = index.files()
    assert files[built.filename]["requires-python"] == ">=3.8"
    assert files[source.filename]["requires-python"] == ">=3.9"
    assert files[unspecified.filename].get("requires-python") is None
