"""The admin API of projects: lists, and the status of a project."""

from __future__ import annotations

import pytest

from tests.support.admin_api import TIME, assert_error
from tests.support.archives import sdist, wheel
from tests.support.index import Index


def test_projects_and_files_are_listed(index: Index) -> None:
    built, source = wheel("Foo_Bar", requires_python=">=3.8"), sdist("Foo_Bar")
    index.publish(built, source, wheel("alpha"))
    assert index.api_json("GET", "/projects") == {
        "projects": [{"name": "alpha"}, {"name": "foo-bar"}]
    }
    body = index.api_json("GET", "/projects/FOO.bar")
    assert (body["name"], body["status"], body["reason"]) == ("foo-bar", "active", None)
    files = {file["filename"]: file for file in body["files"]}
    assert list(files) == sorted((built.filename, source.filename))
    file = files[built.filename]
    assert TIME.fullmatch(file.pop("upload_time"))
    assert file == {
        "filename": built.filename,
        "version": "1.0",
        "size": len(built.data),
        "sha256": built.sha256,
        "uploader": index.username,
        "requires_python": ">=3.8",
        "yanked": False,
        "url": f"{index.url}/foo-bar/{built.filename}",
    }
    assert index.linked(files[source.filename]["url"]).content == source.data


@pytest.mark.parametrize("name", ["nothing", "-", "a%20b", "%2e%2e", "a%2fb", "é"])
def test_an_unknown_project_is_not_found(index: Index, name: str) -> None:
    assert_error(index.api("GET", f"/projects/{name}"), 404)
    assert_error(index.api("PATCH", f"/projects/{name}", {"status": "active"}), 404)


@pytest.mark.parametrize(
    "body", [{}, {"status": "sleeping"}, {"status": None}, {"state": "active"}]
)
def test_an_unknown_status_is_rejected(index: Index, body: dict[str, object]) -> None:
    index.publish(wheel())
    assert_error(index.api("PATCH", "/projects/demo", body), 400)
    assert "project-status" not in index.json()


def test_a_project_without_files_is_not_found_and_not_listed(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    index.api_json("DELETE", f"/files/{archive.filename}")
    assert index.get("/demo/").status_code == 404
    assert index.json("/")["projects"] == []
