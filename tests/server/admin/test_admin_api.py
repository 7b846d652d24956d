"""The admin API: its shapes, its refusals, and what takes effect at once."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.archives import Archive, sdist, wheel
from tests.support.index import Index, Server
from tests.support.raw import basic, exchange, request

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
DEFAULTS = {
    "overwrite_protection": False,
    "public": False,
    "dialect": "modern",
    "max_file_size": None,
    "upstream": [],
    "upstream_strategy": "first-match",
}


def put(index: Index, archive: Archive, *, query: str = "", filename: str | None = None) -> Any:  # noqa: ANN401 (requests' answer, or what it lacks)
    path = f"/api/repositories/{index.name}/files/{quote(filename or archive.filename)}{query}"
    return index.server.request("PUT", path, data=archive.data, auth=index.server.admin)


def assert_error(answer: Any, status: int, *words: str) -> None:  # noqa: ANN401 (requests')
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["error"] == body["message"]
    for word in words:
        assert word in body["error"]


def test_a_new_repository_has_the_settings_that_nobody_gave(server: Server) -> None:
    answer = server.api("POST", "/repositories", {"name": "fresh"})
    assert answer.status_code == 201
    body = answer.json()
    assert body == {
        **DEFAULTS,
        "name": "fresh",
        "url": f"{server.url}/repositories/fresh",
        "run": None,
        "created": body["created"],
    }
    assert TIME.fullmatch(body["created"])
    assert server.done("GET", "/repositories/fresh") == body
    assert body in server.done("GET", "/repositories")["repositories"]


def test_a_repository_is_made_with_settings(server: Server) -> None:
    settings = {
        "overwrite_protection": True,
        "public": True,
        "dialect": "cloudrepo",
        "max_file_size": 1000,
    }
    body = server.done("POST", "/repositories", {"name": "made-with_settings", **settings})
    assert {name: body[name] for name in settings} == settings


def test_a_name_is_taken_once(index: Index) -> None:
    answer = index.server.api("POST", "/repositories", {"name": index.name})
    assert_error(answer, 409, index.name)


@pytest.mark.parametrize(
    "name", ["", "A", "a b", "a/b", "a.b", "é", "a" * 33, "../x", "a\n", "@x", "con."]
)
def test_a_bad_name_is_refused(server: Server, name: str) -> None:
    assert_error(server.api("POST", "/repositories", {"name": name}), 400, "name")


@pytest.mark.parametrize("name", ["a", "0", "-", "_", "a" * 32, "simple", "con", "public", "api"])
def test_any_good_name_is_taken(server: Server, name: str) -> None:
    server.done("POST", "/repositories", {"name": name})
    auth = server.user()
    assert server.request("GET", f"/repositories/{name}/", auth=auth).status_code == 200
    server.done("DELETE", f"/repositories/{name}")
    assert server.request("GET", f"/repositories/{name}/", auth=auth).status_code == 404


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "name"),
        ({"name": 1}, "name"),
        ({"name": None}, "name"),
        ({"name": "x1", "overwrite_protection": "yes"}, "overwrite_protection"),
        ({"name": "x1", "max_file_size": -1}, "max_file_size"),
        ({"name": "x1", "max_file_size": "1"}, "max_file_size"),
        ({"name": "x1", "dialect": "klingon"}, "klingon"),
        ({"name": "x1", "overwrite_protektion": True}, "overwrite_protektion"),
        ([], ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_a_bad_body_is_refused_by_what_is_wrong_in_it(
    server: Server, body: object, word: str
) -> None:
    assert_error(server.api("POST", "/repositories", body), 400, word)
    assert server.api("GET", "/repositories/x1").status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"name": "\xff"}', b"[" * 100_000, b'{"name": "\\ud800"}']
)
def test_a_body_that_is_not_json_is_refused(server: Server, body: bytes) -> None:
    answer = server.request("POST", "/api/repositories", data=body, auth=server.admin)
    assert_error(answer, 400)


def test_a_body_beyond_reason_is_refused(server: Server) -> None:
    body = b'{"name": "' + b"x" * (2 << 20) + b'"}'
    answer = server.request("POST", "/api/repositories", data=body, auth=server.admin)
    assert_error(answer, 413)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("overwrite_protection", True), ("public", True), ("dialect", "pypi"), ("max_file_size", 5)],
)
def test_a_setting_is_changed_and_the_others_stay(
    index: Index, setting: str, value: object
) -> None:
    before = index.done("GET")
    assert index.done("PATCH", json={setting: value}) == {**before, setting: value}
    assert index.done("GET") == {**before, setting: value}
    assert index.done("PATCH", json={}) == {**before, setting: value}


def test_a_limit_is_taken_away_with_null(index: Index) -> None:
    index.set(max_file_size=1)
    assert index.upload(wheel()).status_code == 413
    index.set(max_file_size=None)
    assert index.upload(wheel()).status_code == 200


@pytest.mark.parametrize("limit", [1 << 40, 10**30])
def test_a_limit_beyond_all_files_is_no_limit(index: Index, limit: int) -> None:
    index.set(max_file_size=limit)
    assert index.done("GET")["max_file_size"] == limit
    assert index.upload(wheel()).status_code == 200


@pytest.mark.parametrize("body", [{"dialect": "klingon"}, {"name": "other"}, {"max_file_size": -1}])
def test_a_bad_change_changes_nothing(index: Index, body: dict[str, object]) -> None:
    before = index.done("GET")
    assert_error(index.api("PATCH", json={"public": True, **body}), 400)
    assert index.done("GET") == before


def test_a_deleted_repository_is_gone_with_its_files(index: Index) -> None:
    index.publish(wheel(), wheel("other"))
    assert index.api("DELETE").status_code == 204
    assert index.get("/demo/").status_code == 404
    assert index.upload(wheel()).status_code == 404
    assert_error(index.api("GET"), 404, "repository could not be found")
    assert_error(index.api("DELETE"), 404)


def test_a_name_used_again_starts_empty(index: Index) -> None:
    index.publish(wheel())
    index.done("DELETE")
    again = index.server.repository(index.name)
    assert again.json("/")["projects"] == []
    assert again.get("/demo/").status_code == 404
    assert again.done("GET", "/requests")["requests"][0]["path"].endswith("/")
    again.publish(wheel(module="x = 2\n"))


@pytest.mark.parametrize(
    ("method", "below"),
    [
        *(("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/projects"), ("GET", "/requests")),
        *(("GET", "/projects/demo"), ("PATCH", "/projects/demo"), ("DELETE", "/requests")),
        *(("PUT", "/files/x"), ("PATCH", "/files/x"), ("DELETE", "/files/x")),
        *(("GET", "/faults"), ("GET", "/connection")),
    ],
)
def test_a_repository_that_is_not_there(server: Server, method: str, below: str) -> None:
    answer = server.api(method, f"/repositories/nowhere{below}", {})
    assert_error(answer, 404, "repository could not be found")


def test_projects_and_files_are_listed(index: Index) -> None:
    built, source = wheel("Foo_Bar", requires_python=">=3.8"), sdist("Foo_Bar")
    index.publish(built, source, wheel("alpha"))
    assert index.done("GET", "/projects") == {"projects": [{"name": "alpha"}, {"name": "foo-bar"}]}
    body = index.done("GET", "/projects/FOO.bar")
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
def test_a_project_that_is_not_there(index: Index, name: str) -> None:
    assert_error(index.api("GET", f"/projects/{name}"), 404)
    assert_error(index.api("PATCH", f"/projects/{name}", {"status": "active"}), 404)


@pytest.mark.parametrize(
    "body", [{}, {"status": "sleeping"}, {"status": None}, {"state": "active"}]
)
def test_a_status_that_there_is_not(index: Index, body: dict[str, object]) -> None:
    index.publish(wheel())
    assert_error(index.api("PATCH", "/projects/demo", body), 400)
    assert "project-status" not in index.json()


def test_a_file_is_put_by_the_rules_of_an_upload(protected: Index) -> None:
    archive = wheel()
    answer = put(protected, archive)
    assert answer.status_code in (200, 201), answer.text
    assert answer.json()["sha256"] == archive.sha256
    assert protected.file(archive).content == archive.data
    assert_error(put(protected, wheel(module="x = 2\n")), 409, "already exists")
    assert protected.file(archive).content == archive.data
    protected.set(overwrite_protection=False)
    assert put(protected, wheel(module="x = 2\n")).status_code in (200, 201)


def test_a_put_is_in_no_journal(index: Index) -> None:
    put(index, wheel())
    assert index.journal() == []


@pytest.mark.parametrize("filename", ["demo.exe", "x", "a b.whl", "demo-1.0.egg", "..%2Fx.whl"])
def test_a_put_under_a_bad_name_is_refused(index: Index, filename: str) -> None:
    before = index.server.blobs()
    assert_error(put(index, wheel(), filename=filename), 400)
    assert index.server.keeps_nothing_beyond(before)


def test_a_put_of_what_is_no_archive_is_refused(index: Index) -> None:
    assert_error(put(index, Archive(wheel().filename, b"nonsense")), 400, "readable")
    assert_error(put(index, wheel(metadata=b"Name: other\n")), 400)
    assert index.done("GET", "/projects") == {"projects": []}


def test_a_large_file_is_put(index: Index) -> None:
    archive = wheel(padding=3 << 20)
    assert put(index, archive).status_code in (200, 201)
    assert index.file(archive).content == archive.data


def test_a_put_has_the_upload_time_that_it_asks_for(index: Index) -> None:
    archive = wheel()
    put(index, archive, query="?upload_time=2020-01-31T12:00:00Z")
    assert index.files()[archive.filename]["upload-time"] == "2020-01-31T12:00:00.000000Z"


@pytest.mark.parametrize("time", ["yesterday", "2020-01-31", "2020-01-31T12:00:00", "", "%00"])
def test_a_put_with_a_time_that_is_none_is_refused(index: Index, time: str) -> None:
    assert_error(put(index, wheel(), query=f"?upload_time={time}"), 400, "time")


@pytest.mark.parametrize(
    ("yanked", "told"), [(True, ""), ("", ""), ("broken", "broken"), (False, False)]
)
def test_a_file_is_yanked_and_back(index: Index, yanked: object, told: object) -> None:
    archive = wheel()
    index.publish(archive)
    assert index.done("PATCH", f"/files/{archive.filename}", {"yanked": yanked})["yanked"] == told
    assert index.done("GET", "/projects/demo")["files"][0]["yanked"] == told
    assert index.done("PATCH", f"/files/{archive.filename}", {"yanked": False})["yanked"] is False


def test_a_replaced_file_is_not_yanked_any_more(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    index.done("PATCH", f"/files/{archive.filename}", {"yanked": "broken"})
    index.publish(wheel(module="x = 2\n"))
    assert index.files()[archive.filename]["yanked"] is False


@pytest.mark.parametrize(
    "body", [{"yanked": None}, {"yanked": 1}, {"upload_time": "never"}, {"upload_time": None}]
)
def test_a_bad_change_of_a_file_is_refused(index: Index, body: dict[str, object]) -> None:
    archive = wheel()
    index.publish(archive)
    before = index.done("GET", "/projects/demo")
    assert_error(index.api("PATCH", f"/files/{archive.filename}", body), 400)
    assert index.done("GET", "/projects/demo") == before


def test_a_deleted_file_is_gone_and_its_name_is_free(protected: Index) -> None:
    first, second = wheel(), wheel(version="2.0")
    protected.publish(first, second)
    assert protected.api("DELETE", f"/files/{first.filename}").status_code == 204
    assert list(protected.files()) == [second.filename]
    assert protected.get(f"/demo/{first.filename}").status_code == 404
    assert protected.get(f"/demo/{first.filename}.metadata").status_code == 404
    protected.publish(wheel(module="x = 2\n"))


def test_a_project_without_files_is_404_and_not_listed(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    index.done("DELETE", f"/files/{archive.filename}")
    assert index.get("/demo/").status_code == 404
    assert index.json("/")["projects"] == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("filename", ["nothing-1.0.tar.gz", "x", "%2e%2e", "demo%2Fx", "é", "-"])
def test_a_file_that_is_not_there(index: Index, method: str, filename: str) -> None:
    index.publish(wheel())
    assert_error(index.api(method, f"/files/{filename}", {"yanked": True}), 404)


def test_a_file_is_found_by_its_name_whatever_project_it_is_of(index: Index) -> None:
    archive = Archive("a-b-1.0.tar.gz", sdist("a-b").data)
    assert index.upload(archive, name="a-b", version="1.0").status_code == 200
    assert index.done("PATCH", f"/files/{archive.filename}", {"yanked": True})["yanked"] == ""


@pytest.mark.parametrize("path", ["/repositories", "/users", "/tokens", "/repositories/nowhere"])
def test_nobody_and_other_logins_are_refused(server: Server, path: str) -> None:
    for auth, status in (
        (None, 401),
        ((server.admin[0], "wrong-password"), 401),
        (("nobody@example.com", server.admin[1]), 401),
        (server.user(), 403),
    ):
        answer = server.request("GET", "/api" + path, auth=auth)
        assert_error(answer, status)
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    "path",
    ["/%61pi/repositories", "/api/%72epositories", "//api/repositories", "/api//repositories"],
)
def test_no_spelling_of_a_path_goes_round_the_login(server: Server, path: str) -> None:
    for method in ("GET", "POST"):
        answer = exchange(server.url, request(f"{method} {path} HTTP/1.1", {}, b"{}"))
        assert answer.status in (401, 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/repositories"), ("POST", "/repositories/demo"), ("DELETE", "/users")],
)
def test_other_methods_are_405_with_allow(server: Server, method: str, path: str) -> None:
    answer = server.api(method, path)
    assert_error(answer, 405)
    assert "GET" in answer.headers["Allow"] or "PATCH" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/repositories/demo/nothing/at/all"])
def test_a_path_that_is_not_there_is_json_too(server: Server, path: str) -> None:
    assert_error(server.api("GET", path), 404)


@pytest.mark.parametrize("host", ["", "a b", "[", "\xff", "x" * 5000, "a@b", "a/b", "a:99999"])
def test_a_host_header_that_is_none_is_no_failure(index: Index, host: str) -> None:
    headers = {"Authorization": basic(*index.server.admin)}
    for path in (f"/api/repositories/{index.name}", "/api/repositories"):
        answer = exchange(index.url, request(f"GET {path} HTTP/1.1", headers, host=host))
        assert answer.status < 500
    page = request(f"GET {index.path}/ HTTP/1.1", index.authorization, host=host)
    assert exchange(index.url, page).status < 500


def test_the_url_of_a_repository_is_the_one_that_was_asked(index: Index) -> None:
    port = index.url.split(":")[2].split("/")[0]
    headers = {"Authorization": basic(*index.server.admin)}
    answer = exchange(
        index.url,
        request(f"GET /api/repositories/{index.name} HTTP/1.1", headers, host=f"localhost:{port}"),
    )
    assert f'"http://localhost:{port}/repositories/{index.name}"'.encode() in answer.body
