"""The admin API of files: publish, yank and delete."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests

from tests.support.admin_api import assert_error
from tests.support.archives import Archive, sdist, wheel
from tests.support.index import Index


def put(
    index: Index, archive: Archive, *, query: str = "", filename: str | None = None
) -> requests.Response:
    path = f"/api/repositories/{index.name}/files/{quote(filename or archive.filename)}{query}"
    return index.server.request("PUT", path, data=archive.data, auth=index.server.admin)


def test_put_follows_the_rules_of_an_upload(protected: Index) -> None:
    archive = wheel()
    response = put(protected, archive)
    assert response.status_code in (200, 201), response.text
    assert response.json()["sha256"] == archive.sha256
    assert protected.file(archive).content == archive.data
    assert_error(put(protected, wheel(module="x = 2\n")), 409, "already exists")
    assert protected.file(archive).content == archive.data
    protected.set(overwrite_protection=False)
    assert put(protected, wheel(module="x = 2\n")).status_code in (200, 201)


def test_put_is_not_in_the_journal(index: Index) -> None:
    put(index, wheel())
    assert index.journal() == []


@pytest.mark.parametrize("filename", ["demo.exe", "x", "a b.whl", "demo-1.0.egg", "..%2Fx.whl"])
def test_put_with_an_invalid_file_name_is_rejected(index: Index, filename: str) -> None:
    before = index.server.blobs()
    assert_error(put(index, wheel(), filename=filename), 400)
    assert index.server.wait_until_only_blobs(before)


def test_put_of_an_invalid_archive_is_rejected(index: Index) -> None:
    assert_error(put(index, Archive(wheel().filename, b"nonsense")), 400, "readable")
    assert_error(put(index, wheel(metadata=b"Name: other\n")), 400)
    assert index.api_json("GET", "/projects") == {"projects": []}


def test_put_accepts_a_large_file(index: Index) -> None:
    archive = wheel(padding=3 << 20)
    assert put(index, archive).status_code in (200, 201)
    assert index.file(archive).content == archive.data


def test_put_sets_the_given_upload_time(index: Index) -> None:
    archive = wheel()
    put(index, archive, query="?upload_time=2020-01-31T12:00:00Z")
    assert index.files()[archive.filename]["upload-time"] == "2020-01-31T12:00:00.000000Z"


@pytest.mark.parametrize("time", ["yesterday", "2020-01-31", "2020-01-31T12:00:00", "", "%00"])
def test_put_with_an_invalid_time_is_rejected(index: Index, time: str) -> None:
    assert_error(put(index, wheel(), query=f"?upload_time={time}"), 400, "time")


@pytest.mark.parametrize(
    ("yanked", "reason"), [(True, ""), ("", ""), ("broken", "broken"), (False, False)]
)
def test_a_yank_is_applied_and_undone(index: Index, yanked: object, reason: object) -> None:
    archive = wheel()
    index.publish(archive)
    assert (
        index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": yanked})["yanked"]
        == reason
    )
    assert index.api_json("GET", "/projects/demo")["files"][0]["yanked"] == reason
    assert (
        index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": False})["yanked"] is False
    )


def test_a_file_that_replaces_a_yanked_one_is_not_yanked(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": "broken"})
    index.publish(wheel(module="x = 2\n"))
    assert index.files()[archive.filename]["yanked"] is False


@pytest.mark.parametrize(
    "body", [{"yanked": None}, {"yanked": 1}, {"upload_time": "never"}, {"upload_time": None}]
)
def test_an_invalid_change_of_a_file_is_rejected(index: Index, body: dict[str, object]) -> None:
    archive = wheel()
    index.publish(archive)
    before = index.api_json("GET", "/projects/demo")
    assert_error(index.api("PATCH", f"/files/{archive.filename}", body), 400)
    assert index.api_json("GET", "/projects/demo") == before


def test_the_name_of_a_deleted_file_can_be_used_again(protected: Index) -> None:
    first, second = wheel(), wheel(version="2.0")
    protected.publish(first, second)
    assert protected.api("DELETE", f"/files/{first.filename}").status_code == 204
    assert list(protected.files()) == [second.filename]
    assert protected.get(f"/demo/{first.filename}").status_code == 404
    assert protected.get(f"/demo/{first.filename}.metadata").status_code == 404
    protected.publish(wheel(module="x = 2\n"))


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("filename", ["nothing-1.0.tar.gz", "x", "%2e%2e", "demo%2Fx", "é", "-"])
def test_an_unknown_file_is_not_found(index: Index, method: str, filename: str) -> None:
    index.publish(wheel())
    assert_error(index.api(method, f"/files/{filename}", {"yanked": True}), 404)


def test_a_file_name_alone_identifies_a_file_of_any_project(index: Index) -> None:
    archive = Archive("a-b-1.0.tar.gz", sdist("a-b").data)
    assert index.upload(archive, name="a-b", version="1.0").status_code == 200
    assert index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": True})["yanked"] == ""
