"""PUT of a file by the admin, in the dialects that treat some files differently."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests

from tests.support.archives import wheel
from tests.support.index import Index, Server


def put(index: Index, filename: str, content: bytes) -> requests.Response:
    path = f"/api/repositories/{index.name}/files/{quote(filename)}"
    return index.server.request("PUT", path, data=content, auth=index.server.admin)


@pytest.mark.parametrize("dialect", ["pypi", "devpi"])
def test_put_of_an_identical_file_returns_the_existing_one(server: Server, dialect: str) -> None:
    index = server.repository(dialect=dialect, overwrite_protection=True)
    archive = wheel()
    first = put(index, archive.filename, archive.data)

    second = put(index, archive.filename, archive.data)

    assert second.status_code == first.status_code
    assert second.json() == first.json()


@pytest.mark.parametrize("dialect", ["cloudrepo", "pypiserver"])
@pytest.mark.parametrize(
    ("filename", "project"),
    [
        ("notes.txt", "notes"),
        ("My_Notes-1.0.txt", "my-notes"),
        ("demo.1-2.exe", "demo"),
        ("README", "readme"),
    ],
)
def test_put_derives_the_project_from_the_name_of_any_file(
    server: Server, dialect: str, filename: str, project: str
) -> None:
    index = server.repository(dialect=dialect)

    assert put(index, filename, b"any content").status_code in (200, 201)

    assert [each["name"] for each in index.api_json("GET", "/projects")["projects"]] == [project]
    assert index.get(f"/{project}/{filename}").content == b"any content"


@pytest.mark.parametrize("filename", ["a b.txt", ".hidden", "é.txt", "x" * 256])
def test_put_rejects_invalid_names_of_any_file(server: Server, filename: str) -> None:
    index = server.repository(dialect="cloudrepo")

    assert put(index, filename, b"any content").status_code == 400

    assert index.api_json("GET", "/projects")["projects"] == []
