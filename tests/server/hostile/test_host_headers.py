"""Invalid Host headers: no route of the server fails on them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser
from tests.support.portal.routes import portal_routes
from tests.support.proxy_client import ProxyClient
from tests.support.raw import basic, exchange, request
from tests.support.trust import JOB

pytestmark = pytest.mark.usefixtures("server_stays_clean")

HOSTS = ["h:abc", "h:99999", "h:-1", "[::1", "[x]", "a b", "a/b", "@", ":", "", "\xff", "h:1:2"]


@pytest.fixture(scope="module")
def published(server: Server) -> Index:
    """A public repository with a file, and all APIs of PyPI."""
    index = server.repository(dialect="pypi", public=True)
    index.publish(wheel())
    return index


@pytest.fixture(scope="module")
def cookies(server: Server) -> Iterator[str]:
    """The cookies of a session of the portal."""
    browser = Browser(server)
    browser.sign_in(*server.admin)
    yield "; ".join(f"{each.name}={each.value}" for each in browser.session.cookies)
    browser.close()


def reads(index: Index) -> Iterator[str]:
    """Yield the path of every page that a client can read."""
    values = {
        "name": index.name,
        "repository": index.name,
        "project": "demo",
        "filename": wheel().filename,
        "email": index.username,
    }

    def fill(path: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda field: quote(values.get(field[1], "x")), path)

    described = index.server.request("GET", "/api/openapi.json").json()["paths"]
    yield from (fill(path) for path, operations in described.items() if "get" in operations)
    yield from (fill(route.path) for route in portal_routes() if route.method == "GET")
    for base in (index.path, f"/public{index.path}"):
        for below in ("", "/", "/demo/", "/simple/demo/", "/pypi/demo/json", "/pypi/demo/1.0/json"):
            yield base + below
        yield f"{base}/demo/{wheel().filename}"
    yield from ("/", "/portal", "/healthz", "/readyz", "/other", "/api/openapi.json")
    yield f"/.well-known/pytp?discover={index.path}"
    yield from ("/_/oidc/audience", f"/_/oidc/repositories/{index.name}/audience")
    for document in (".well-known/openid-configuration", ".well-known/jwks"):
        yield f"/_/issuers/github/{document}"


@pytest.mark.parametrize("host", HOSTS)
def test_an_invalid_host_header_is_no_server_error(
    published: Index, cookies: str, host: str
) -> None:
    repository = f"/api/repositories/{published.name}"
    job = json.dumps({"provider": "github", "claims": JOB}).encode()
    # The streams of live requests do not end by themselves.
    requests = [
        ("HEAD" if path.endswith("/live") else "GET", path, b"") for path in reads(published)
    ]
    requests += [
        ("POST", f"{repository}/impersonations", b'{"urls": []}'),
        ("POST", f"{repository}/jobs", job),
        ("PATCH", repository, b"{}"),
        ("POST", published.path, b""),
        ("POST", "/portal/sign-in", b""),
        ("POST", "/_/oidc/mint-token", b"{}"),
    ]
    assert len(requests) > 50
    statuses = {}
    for method, path, body in requests:
        login = published.server.admin if path.startswith("/api/") else published.auth
        headers = {
            "Authorization": basic(*login),
            "Content-Type": "application/json",
            "Cookie": cookies,
        }
        sent = request(f"{method} {path} HTTP/1.1", headers, body, host=host)
        statuses[method, path] = exchange(published.url, sent, method=method).status
    assert {each for each, status in statuses.items() if status >= 500} == set()


def test_an_invalid_host_header_to_an_impersonated_host_is_no_server_error(
    published: Index,
) -> None:
    urls = "http://pypi.example/simple/", "https://pypi.example/simple/"
    client = ProxyClient.of(published, *urls)
    for host in HOSTS:
        with client.connect() as connection:
            line = f"GET {urls[0]}demo/ HTTP/1.1"
            connection.send(request(line, client.login, host=host))
            assert connection.read_response().status < 500, host
        with client.tunnel("pypi.example", 443) as tunnel:
            tunnel.send(request("GET /simple/demo/ HTTP/1.1", host=host))
            assert tunnel.read_response().status < 500, host
