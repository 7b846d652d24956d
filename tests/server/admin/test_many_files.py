"""The operation of the admin API that adds many files with one request."""

from __future__ import annotations

import json

import pytest
import requests

from tests.support.admin_api import assert_error
from tests.support.archives import Archive, sdist, wheel
from tests.support.forms import Field, File, encode
from tests.support.index import Index, Server
from tests.support.raw import basic, connect
from tests.support.wait import wait_until

FIRST, SECOND, OTHER = wheel(), wheel(version="2.0"), sdist("other")


def content(archive: Archive) -> Field:
    return "content", File(archive.filename, archive.data, content_type=None)


def put(index: Index, *archives: Archive, details: object = None) -> requests.Response:
    given: list[Field] = [] if details is None else [("details", json.dumps(details))]
    return put_form(index, *given, *map(content, archives))


def put_form(index: Index, *fields: Field) -> requests.Response:
    form = encode(fields)
    path = f"/api/repositories/{index.name}/files"
    headers = {"Content-Type": form.content_type}
    return index.server.request(
        "PUT", path, data=form.body, headers=headers, auth=index.server.admin
    )


def projects(index: Index) -> list[str]:
    return [each["name"] for each in index.api_json("GET", "/projects")["projects"]]


def test_many_files_are_added_with_their_details(index: Index) -> None:
    large = wheel("large", padding=3 << 20)
    details = {
        SECOND.filename: {"yanked": "broken", "upload_time": "2020-01-31T12:00:00Z"},
        OTHER.filename: {"yanked": True},
    }

    response = put(index, FIRST, SECOND, large, OTHER, details=details)

    assert (response.status_code, response.json()) == (200, {"files": 4})
    assert index.journal() == []
    assert index.file(large, "large").content == large.data
    demo = index.files()
    assert [file["yanked"] for file in demo.values()] == [False, "broken"]
    assert demo[SECOND.filename]["upload-time"] == "2020-01-31T12:00:00.000000Z"
    assert index.files("other")[OTHER.filename]["yanked"] is True


def test_details_of_a_file_that_the_form_lacks_are_rejected(index: Index) -> None:
    response = put(index, FIRST, details={"missing-1.0.zip": {"yanked": True}})
    assert_error(response, 400, "'missing-1.0.zip'", "The form's files were added: 1.")
    assert list(index.files()) == [FIRST.filename]


@pytest.mark.parametrize("details", [{"a-1.0.zip": {"unknown": True}}, [], "x"])
def test_invalid_details_are_rejected_without_files_too(index: Index, details: object) -> None:
    assert_error(put(index, details=details), 400, "The field details of the form is invalid")


def test_files_that_the_repository_has_already_are_counted_and_yanked(server: Server) -> None:
    index = server.repository(dialect="pypi")
    put(index, FIRST)

    response = put(index, FIRST, SECOND, details={FIRST.filename: {"yanked": ""}})

    assert (response.status_code, response.json()) == (200, {"files": 2})
    assert [file["yanked"] for file in index.files().values()] == [True, False]


@pytest.mark.parametrize(
    ("rejected", "details", "status", "words"),
    [
        (wheel(module="x = 2\n"), {}, 409, "already exists"),
        (Archive("new-1.0-py3-none-any.whl", b"nonsense"), {}, 400, "readable"),
        (Archive("new.exe", b""), {}, 400, "new.exe"),
        (wheel("new", padding=5000), {}, 413, "too large"),
        (wheel("new"), {"upload_time": "yesterday"}, 400, "time"),
    ],
    ids=["existing", "archive", "name", "size", "time"],
)
def test_the_files_before_a_rejected_file_are_added(
    protected: Index, rejected: Archive, details: dict[str, str], status: int, words: str
) -> None:
    protected.publish(FIRST)
    protected.set(max_file_size=4000)
    before = protected.server.blobs()

    response = put(protected, SECOND, rejected, OTHER, OTHER, details={rejected.filename: details})

    assert_error(response, status, words)
    assert projects(protected) == ["demo"]
    assert list(protected.files()) == [FIRST.filename, SECOND.filename]
    added = {SECOND.data, SECOND.metadata}
    assert protected.server.wait_until_only_blobs(before | new_blobs(protected, before, added))


def new_blobs(index: Index, before: set[str], contents: set[bytes]) -> set[str]:
    """Return the keys of the new blobs that have one of these contents."""
    files = {path.as_posix(): path for path in index.server.process.folder.glob("**/blobs/**/*")}
    return {key for key in index.server.blobs() - before if files[key].read_bytes() in contents}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ([("details", "{")], "details"),
        ([("details", '{"x": {"unknown": 1}}')], "unknown"),
        ([("details", '{"x": {"yanked": 1}}')], "yanked"),
        ([("details", "{}"), ("details", "[]")], "several"),
        ([("other", File(SECOND.filename, SECOND.data))], "other"),
    ],
    ids=["json", "field", "type", "twice", "part"],
)
def test_an_invalid_form_adds_nothing(index: Index, fields: list[Field], word: str) -> None:
    assert_error(put_form(index, *fields, content(FIRST)), 400, word)
    assert projects(index) == []


def test_a_body_that_is_no_form_is_rejected(index: Index) -> None:
    assert_error(index.api("PUT", "/files", {}), 400, "multipart/form-data")


def test_an_unknown_repository_is_not_found(index: Index) -> None:
    unknown = Index(index.server, "unknown", *index.auth)
    assert_error(put(unknown, FIRST), 404, "unknown")


def test_a_file_that_is_cut_off_is_not_added(index: Index) -> None:
    before = index.server.blobs()
    form = encode([content(FIRST), content(wheel("large", padding=3 << 20))])
    head = (
        f"PUT /api/repositories/{index.name}/files HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {basic(*index.server.admin)}\r\nContent-Type: {form.content_type}\r\n"
        f"Content-Length: {len(form.body)}\r\n\r\n"
    )

    with connect(index.server.url) as connection:
        connection.send(head.encode() + form.body[:-1000])

    wait_until(lambda: projects(index) == ["demo"], "the first file to be added")
    added = {FIRST.data, FIRST.metadata}
    assert index.server.wait_until_only_blobs(before | new_blobs(index, before, added))
    assert projects(index) == ["demo"]


def test_a_part_without_a_file_name_is_rejected(index: Index) -> None:
    for field in (("content", "{}"), ("other", "")):
        response = put_form(index, content(FIRST), field)
        assert_error(response, 400, f"unknown field {field[0]!r}")
        assert "has a file name" in response.json()["error"]
