"""Every operation of the admin API requires the admin user."""

from __future__ import annotations

import re

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
