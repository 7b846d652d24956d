"""The admin API: its responses, its rejections and its effects."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
import requests

from tests.support.archives import Archive, sdist, wheel
from tests.support.index import Index, Server
from tests.support.raw import basic, exchange, request

JSON_BODY = {"Content-Type": "application/json"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
DEFAULTS = {
    "overwrite_protection": False,
    "public": False,
    "dialect": "modern",
    "rules": None,
    "max_file_size": None,
    "max_project_size": None,
    "max_release_age": None,
    "max_summary": None,
    "prohibited_names": [],
    "upstream": [],
    "upstream_strategy": "first-match",
    "upstream_file_origins": [],
    "minted_token_seconds": 900.0,
    "disabled_identity_providers": [],
}


def put(
    index: Index, archive: Archive, *, query: str = "", filename: str | None = None
) -> requests.Response:
    path = f"/api/repositories/{index.name}/files/{quote(filename or archive.filename)}{query}"
    return index.server.request("PUT", path, data=archive.data, auth=index.server.admin)


def assert_error(response: requests.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    body = response.json()
    assert body["error"] == body["message"]
    for word in words:
        assert word in body["error"]


def test_a_new_repository_has_the_default_settings(server: Server) -> None:
    response = server.api("POST", "/repositories", {"name": "fresh"})
    assert response.status_code == 201
    body = response.json()
    assert body == {
        **DEFAULTS,
        "name": "fresh",
        "url": f"{server.url}/repositories/fresh",
        "run": None,
        "created": body["created"],
        "unchecked_rules": [],
    }
    assert TIME.fullmatch(body["created"])
    assert server.api_json("GET", "/repositories/fresh") == body
    assert body in server.api_json("GET", "/repositories")["repositories"]


def test_a_repository_is_created_with_settings(server: Server) -> None:
    settings = {
        "overwrite_protection": True,
        "public": True,
        "dialect": "cloudrepo",
        "max_file_size": 1000,
    }
    body = server.api_json("POST", "/repositories", {"name": "created-with_settings", **settings})
    assert {name: body[name] for name in settings} == settings


def test_a_second_repository_with_the_same_name_is_rejected(index: Index) -> None:
    response = index.server.api("POST", "/repositories", {"name": index.name})
    assert_error(response, 409, index.name)


@pytest.mark.parametrize(
    "name", ["", "A", "a b", "a/b", "a.b", "é", "a" * 33, "../x", "a\n", "@x", "con."]
)
def test_an_invalid_name_is_rejected(server: Server, name: str) -> None:
    assert_error(server.api("POST", "/repositories", {"name": name}), 400, "name")


@pytest.mark.parametrize("name", ["a", "0", "-", "_", "a" * 32, "simple", "con", "public", "api"])
def test_a_valid_name_is_accepted(server: Server, name: str) -> None:
    server.api_json("POST", "/repositories", {"name": name})
    auth = server.user()
    assert server.request("GET", f"/repositories/{name}/", auth=auth).status_code == 200
    server.api_json("DELETE", f"/repositories/{name}")
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
    ],
)
def test_an_invalid_body_is_rejected_and_the_error_names_the_field(
    server: Server, body: object, word: str
) -> None:
    assert_error(server.api("POST", "/repositories", body), 400, word)
    assert server.api("GET", "/repositories/x1").status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"name": "\xff"}', b"[" * 100_000, b'{"name": "\\ud800"}']
)
def test_a_body_that_is_not_json_is_rejected(server: Server, body: bytes) -> None:
    response = server.request(
        "POST", "/api/repositories", data=body, auth=server.admin, headers=JSON_BODY
    )
    assert_error(response, 400)


def test_a_body_that_is_too_large_is_rejected(server: Server) -> None:
    body = b'{"name": "' + b"x" * (2 << 20) + b'"}'
    response = server.request(
        "POST", "/api/repositories", data=body, auth=server.admin, headers=JSON_BODY
    )
    assert_error(response, 413)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("overwrite_protection", True), ("public", True), ("dialect", "pypi"), ("max_file_size", 5)],
)
def test_changing_a_setting_keeps_the_others(index: Index, setting: str, value: object) -> None:
    before = index.api_json("GET")
    assert index.api_json("PATCH", json={setting: value}) == {**before, setting: value}
    assert index.api_json("GET") == {**before, setting: value}
    assert index.api_json("PATCH", json={}) == {**before, setting: value}


def test_null_removes_a_limit(index: Index) -> None:
    index.set(max_file_size=1)
    assert index.upload(wheel()).status_code == 413
    index.set(max_file_size=None)
    assert index.upload(wheel()).status_code == 200


@pytest.mark.parametrize("limit", [1 << 40, 10**30])
def test_a_limit_may_be_larger_than_any_file(index: Index, limit: int) -> None:
    index.set(max_file_size=limit)
    assert index.api_json("GET")["max_file_size"] == limit
    assert index.upload(wheel()).status_code == 200


@pytest.mark.parametrize("body", [{"dialect": "klingon"}, {"name": "other"}, {"max_file_size": -1}])
def test_an_invalid_change_changes_nothing(index: Index, body: dict[str, object]) -> None:
    before = index.api_json("GET")
    assert_error(index.api("PATCH", json={"public": True, **body}), 400)
    assert index.api_json("GET") == before


def test_deleting_a_repository_deletes_its_files(index: Index) -> None:
    index.publish(wheel(), wheel("other"))
    assert index.api("DELETE").status_code == 204
    assert index.get("/demo/").status_code == 404
    assert index.upload(wheel()).status_code == 404
    assert_error(index.api("GET"), 404, "repository could not be found")
    assert_error(index.api("DELETE"), 404)


def test_a_new_repository_with_a_deleted_name_is_empty(index: Index) -> None:
    index.publish(wheel())
    index.api_json("DELETE")
    again = index.server.repository(index.name)
    assert again.json("/")["projects"] == []
    assert again.get("/demo/").status_code == 404
    assert again.api_json("GET", "/requests")["requests"][0]["path"].endswith("/")
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
def test_an_unknown_repository_is_not_found(server: Server, method: str, below: str) -> None:
    response = server.api(method, f"/repositories/missing{below}", {})
    assert_error(response, 404, "repository could not be found")


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


def test_a_project_without_files_is_not_found_and_not_listed(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    index.api_json("DELETE", f"/files/{archive.filename}")
    assert index.get("/demo/").status_code == 404
    assert index.json("/")["projects"] == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("filename", ["nothing-1.0.tar.gz", "x", "%2e%2e", "demo%2Fx", "é", "-"])
def test_an_unknown_file_is_not_found(index: Index, method: str, filename: str) -> None:
    index.publish(wheel())
    assert_error(index.api(method, f"/files/{filename}", {"yanked": True}), 404)


def test_a_file_name_alone_identifies_a_file_of_any_project(index: Index) -> None:
    archive = Archive("a-b-1.0.tar.gz", sdist("a-b").data)
    assert index.upload(archive, name="a-b", version="1.0").status_code == 200
    assert index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": True})["yanked"] == ""


@pytest.mark.parametrize("path", ["/repositories", "/users", "/tokens", "/repositories/missing"])
def test_requests_without_the_admin_credentials_are_rejected(server: Server, path: str) -> None:
    for auth, status in (
        (None, 401),
        ((server.admin[0], "wrong-password"), 401),
        (("nobody@example.com", server.admin[1]), 401),
        (server.user(), 403),
    ):
        response = server.request("GET", "/api" + path, auth=auth)
        assert_error(response, status)
        assert ("WWW-Authenticate" in response.headers) == (status == 401)


@pytest.mark.parametrize(
    "path",
    ["/%61pi/repositories", "/api/%72epositories", "//api/repositories", "/api//repositories"],
)
def test_no_spelling_of_a_path_bypasses_authentication(server: Server, path: str) -> None:
    for method in ("GET", "POST"):
        response = exchange(server.url, request(f"{method} {path} HTTP/1.1", {}, b"{}"))
        assert response.status in (401, 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/repositories"), ("POST", "/repositories/demo"), ("DELETE", "/users")],
)
def test_unsupported_methods_get_405_with_an_allow_header(
    server: Server, method: str, path: str
) -> None:
    response = server.api(method, path)
    assert_error(response, 405)
    assert "GET" in response.headers["Allow"] or "PATCH" in response.headers["Allow"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/repositories/demo/nothing/at/all"])
def test_an_unknown_path_gets_a_json_error(server: Server, path: str) -> None:
    assert_error(server.api("GET", path), 404)


@pytest.mark.parametrize("host", ["", "a b", "[", "\xff", "x" * 5000, "a@b", "a/b", "a:99999"])
def test_an_invalid_host_header_is_not_a_server_error(index: Index, host: str) -> None:
    headers = {"Authorization": basic(*index.server.admin)}
    for path in (f"/api/repositories/{index.name}", "/api/repositories"):
        response = exchange(index.url, request(f"GET {path} HTTP/1.1", headers, host=host))
        assert response.status < 500
    page = request(f"GET {index.path}/ HTTP/1.1", index.authorization, host=host)
    assert exchange(index.url, page).status < 500


def test_the_url_of_a_repository_has_the_host_of_the_request(index: Index) -> None:
    port = index.url.split(":")[2].split("/")[0]
    headers = {"Authorization": basic(*index.server.admin)}
    response = exchange(
        index.url,
        request(f"GET /api/repositories/{index.name} HTTP/1.1", headers, host=f"localhost:{port}"),
    )
    assert f'"http://localhost:{port}/repositories/{index.name}"'.encode() in response.body
