"""The admin API of repositories and their settings."""

from __future__ import annotations

import pytest

from tests.support.admin_api import TIME, assert_error
from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.raw import basic, exchange, request

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
    "digests": None,
    "page_max_age": None,
    "files": None,
    "file_url_seconds": 60.0,
    "logins": "known",
    "anonymous": "nothing",
    "private_projects": [],
    "no_login_status": None,
    "no_access_status": None,
    "minted_token_seconds": 900.0,
    "disabled_identity_providers": [],
}


def test_a_new_repository_has_the_default_settings(server: Server) -> None:
    response = server.api("POST", "/repositories", {"name": "fresh"})
    assert response.status_code == 201
    body = response.json()
    assert body == {
        **DEFAULTS,
        "name": "fresh",
        "url": f"{server.url}/repositories/fresh",
        "public_url": f"{server.url}/public/repositories/fresh",
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


def test_the_url_of_a_repository_has_the_host_of_the_request(index: Index) -> None:
    port = index.url.split(":")[2].split("/")[0]
    headers = {"Authorization": basic(*index.server.admin)}
    response = exchange(
        index.url,
        request(f"GET /api/repositories/{index.name} HTTP/1.1", headers, host=f"localhost:{port}"),
    )
    assert f'"http://localhost:{port}/repositories/{index.name}"'.encode() in response.body
