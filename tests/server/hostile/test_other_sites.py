"""Requests that pages of other sites make a browser send, with the login that it remembers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.portal.routes import portal_routes
from tests.support.proxy_client import ProxyClient
from tests.support.raw import basic, exchange, request

FOREIGN = {
    "another site": {"Origin": "https://attacker.example"},
    "a site with a similar name": {"Origin": "{url}.attacker.example"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "a sandboxed frame": {"Origin": "null"},
    "an empty origin": {"Origin": ""},
    "an origin that is no URL": {"Origin": "http://[::1"},
    "another site, in the metadata": {"Sec-Fetch-Site": "cross-site"},
    "another subdomain, in the metadata": {"Sec-Fetch-Site": "same-site"},
    "an unknown relation": {"Sec-Fetch-Site": "x"},
    "own origin, but other metadata": {"Origin": "{url}", "Sec-Fetch-Site": "cross-site"},
    "another site, in the referrer": {"Referer": "https://attacker.example/page"},
}
OWN = {
    "a program": {},
    "a page of the server": {"Origin": "{url}", "Sec-Fetch-Site": "same-origin"},
    "a page of the server in an old browser": {"Referer": "{url}/portal/"},
    "the address bar": {"Sec-Fetch-Site": "none"},
}
ANY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "MKCOL"]


def filled(headers: dict[str, str], server: Server) -> dict[str, str]:
    return {name: value.format(url=server.url) for name, value in headers.items()}


def changing_routes(server: Server) -> Iterator[tuple[str, str]]:
    """Yield the method and path of every route that is not a read."""
    described = server.request("GET", "/api/openapi.json").json()["paths"]
    for path, operations in described.items():
        for method in operations:
            yield method.upper(), re.sub(r"\{\w+\}", "x", path)
    for route in portal_routes():
        yield route.method, re.sub(r"\{\w+\}", "x", route.path)
    for path in ("/repositories/x", "/repositories/x/", "/public/repositories/x", "/", "/other"):
        for method in ANY_METHOD:
            yield method, path


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_no_route_accepts_a_change_from_another_site(
    server: Server, headers: dict[str, str]
) -> None:
    routes = [each for each in changing_routes(server) if each[0] != "GET"]
    assert len(routes) > 40
    for method, path in routes:
        response = server.request(method, path, headers=filled(headers, server), auth=server.admin)
        assert response.status_code == 403, (method, path)
        assert "another site" in response.json()["error"], (method, path)


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_an_upload_from_another_site_stores_nothing(index: Index, headers: dict[str, str]) -> None:
    form = encode(fields(wheel()))
    response = index.send(form, headers=filled(headers, index.server))
    assert response.status_code == 403
    assert index.get("/demo/").status_code == 404


@pytest.mark.parametrize("header", ["Origin", "Referer"])
@pytest.mark.parametrize("own_first", [True, False])
def test_a_repeated_header_must_name_the_server_each_time(
    server: Server, header: str, *, own_first: bool
) -> None:
    email = "repeated@example.com"
    values = [server.url, "https://attacker.example"]
    first, second = values if own_first else reversed(values)
    # Names of headers have no case, so these are two values of one header.
    headers = {header: first, header.lower(): second, "Content-Type": "application/json"}
    headers["Authorization"] = basic(*server.admin)
    host = server.url.partition("://")[2]
    body = b'{"email": "%s"}' % email.encode()
    sent = request("POST /api/users HTTP/1.1", headers, body, host=host)
    assert exchange(server.url, sent).status == 403
    assert email not in [user["email"] for user in server.api_json("GET", "/users")["users"]]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_upload_to_an_impersonated_host_from_another_site_stores_nothing(
    index: Index, scheme: str
) -> None:
    client = ProxyClient.of(index, f"{scheme}://upload.example/legacy/")
    form = encode(fields(wheel()))
    login = {"Content-Type": form.content_type, **index.authorization}
    for headers in FOREIGN.values():
        sent = {**login, **filled(headers, index.server)}
        line, connected = "POST /legacy/ HTTP/1.1", client.connect()
        if scheme == "https":
            connected = client.tunnel("upload.example", 443)
        else:
            line = line.replace(" ", " http://upload.example", 1)
            sent |= client.login
        with connected as connection:
            connection.send(request(line, sent, form.body, host="upload.example"))
            assert connection.read_response().status == 403, headers
    assert index.get("/demo/").status_code == 404


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN.keys())
def test_changes_from_programs_and_from_the_servers_own_pages_are_accepted(
    index: Index, headers: dict[str, str]
) -> None:
    filled_in = filled(headers, index.server)
    assert index.send(encode(fields(wheel())), headers=filled_in).status_code == 200
    response = index.server.request(
        "POST", "/api/tokens", json={"repository": index.name}, headers=filled_in,
        auth=index.server.admin,
    )  # fmt: skip
    assert response.status_code == 201


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_links_from_other_sites_work(index: Index, headers: dict[str, str]) -> None:
    archive = wheel()
    index.publish(archive)
    headers = filled(headers, index.server)
    assert index.request("GET", "/demo/", headers=headers).status_code == 200
    assert index.server.request("GET", "/portal/sign-in", headers=headers).status_code == 200
