"""Invalid Host headers: no route of the server fails on them."""

from __future__ import annotations

import pytest

from tests.support.index import Index
from tests.support.raw import basic, exchange, request

pytestmark = pytest.mark.usefixtures("server_stays_clean")

HOSTS = ["h:abc", "h:99999", "h:-1", "[::1", "[x]", "a b", "a/b", "@", ":", "", "\xff", "h:1:2"]
ROUTES = [
    ("POST", "/api/repositories/{name}/impersonations", b'{"urls": []}'),
    ("GET", "/api/repositories/{name}", b""),
    ("GET", "/api/repositories", b""),
    ("PATCH", "/api/repositories/{name}", b"{}"),
    ("GET", "/api/openapi.json", b""),
    ("GET", "/portal/sign-in", b""),
    ("GET", "/portal/repositories/{name}", b""),
    ("GET", "/repositories/{name}/", b""),
    ("GET", "/repositories/{name}/demo", b""),
    ("GET", "/public/repositories/{name}/", b""),
    ("GET", "/healthz", b""),
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_an_invalid_host_header_is_no_server_error(
    victim: Index, method: str, path: str, body: bytes, host: str
) -> None:
    login = basic(*victim.server.admin) if "/api" in path else basic(*victim.auth)
    headers = {"Authorization": login, "Content-Type": "application/json"}
    line = f"{method} {path.format(name=victim.name)} HTTP/1.1"
    response = exchange(victim.url, request(line, headers, body, host=host), method=method)
    assert response.status < 500, response
