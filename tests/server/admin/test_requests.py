"""Requests to the admin API: authentication, bodies, paths, methods and the `Host` header."""

from __future__ import annotations

import pytest

from tests.support.admin_api import assert_error
from tests.support.index import Index, Server
from tests.support.raw import basic, exchange, request

JSON_BODY = {"Content-Type": "application/json"}


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
