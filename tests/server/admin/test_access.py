"""Every operation of the admin API requires the admin user, and its content type."""

from __future__ import annotations

import re

import pytest

from tests.support.index import Server


def test_every_operation_requires_the_admin(server: Server) -> None:
    paths = server.request("GET", "/api/openapi.json").json()["paths"]
    user = server.user()
    operations = [(method, path) for path, described in paths.items() for method in described]
    assert operations
    for method, path in operations:
        url = re.sub(r"\{\w+\}", "x", path)
        assert server.request(method.upper(), url).status_code == 401, (method, path)
        assert server.request(method.upper(), url, auth=user).status_code == 403, (method, path)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json-patch",
        "",
    ],
)
def test_every_operation_that_takes_json_requires_its_content_type(
    server: Server, content_type: str | None
) -> None:
    paths = server.request("GET", "/api/openapi.json").json()["paths"]
    operations = [
        (method, path)
        for path, described in paths.items()
        for method, operation in described.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(operations) > 7
    headers = {} if content_type is None else {"Content-Type": content_type}
    for method, path in operations:
        url = re.sub(r"\{\w+\}", "x", path)
        options = {"data": b'{"email": "new@example.com"}', "headers": headers}
        response = server.request(method.upper(), url, auth=server.admin, **options)
        assert response.status_code == 415, (method, path)
        assert "Content-Type: application/json" in response.json()["error"]
    assert server.api("DELETE", "/users/new%40example.com").status_code == 404


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_parameters_and_case_of_the_content_type_do_not_matter(
    server: Server, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    options = {"data": b'{"email": "made@example.com"}', "headers": headers}
    response = server.request("POST", "/api/users", auth=server.admin, **options)
    assert response.status_code == 201
    server.api_json("DELETE", "/users/made%40example.com")
