"""A proxy with a login and a port of its own."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.testkit.impersonation import ProxyLogin
from cloudrepo_server.web.impersonation import proxy as proxies
from cloudrepo_server.web.impersonation.creation import CreatedImpersonation, create_impersonation
from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.proxy_client import ProxyClient
from tests.support.raw import basic, connect, exchange, request
from tests.support.wait import wait_until

URL = "http://index.example/simple/"
USERNAME, PASSWORD = "ci@corp", "proxy:secret/%41"
GET_DEMO = f"GET {URL}demo/ HTTP/1.1"


def impersonate(index: Index, **options: object) -> dict[str, Any]:
    login = {"username": USERNAME, "password": PASSWORD}
    body = {"urls": [URL], "proxy_login": login, **options}
    created: dict[str, Any] = index.api_json("POST", "/impersonations", body)
    return created


@pytest.fixture
def proxy(index: Index) -> ProxyClient:
    """The proxy of a repository with a file, which requires a login."""
    index.publish(wheel())
    created = impersonate(index)
    return ProxyClient(created["id"], created["proxy"])


def login(username: str, password: str) -> dict[str, str]:
    return {"Proxy-Authorization": basic(username, password)}


def test_the_proxy_accepts_its_login_only(index: Index, proxy: ProxyClient) -> None:
    parts = urlsplit(proxy.url)
    assert parts.username == "ci%40corp"
    shared = urlsplit(index.api_json("POST", "/impersonations", {"urls": [URL]})["proxy"])
    assert shared.port != parts.port
    right = exchange(proxy.url, request(GET_DEMO, login(USERNAME, PASSWORD)))
    assert right.status == 200
    rejected = {
        "no login": {},
        "wrong password": login(USERNAME, "wrong"),
        "wrong user": login("other", PASSWORD),
        "the login of the shared proxy": login(shared.username or "", shared.password or ""),
        "another scheme": {"Proxy-Authorization": f"Bearer {PASSWORD}"},
        "malformed": {"Proxy-Authorization": "Basic %%%"},
    }
    for name, headers in rejected.items():
        response = exchange(proxy.url, request(GET_DEMO, headers))
        assert response.status == 407, name
        assert response.headers["Proxy-Authenticate"].startswith("Basic realm=")
    # The login of this proxy is not valid for the proxy of the other impersonations.
    other = exchange(shared.geturl(), request(GET_DEMO, login(USERNAME, PASSWORD)))
    assert other.status == 407


@pytest.mark.parametrize("line", [GET_DEMO, "CONNECT index.example:443 HTTP/1.1"])
def test_the_journal_lists_rejected_logins_without_passwords(
    index: Index, proxy: ProxyClient, line: str
) -> None:
    before = len(index.journal())
    exchange(proxy.url, request(line))
    exchange(proxy.url, request(line, login(USERNAME, "a-wrong-password")))
    missing, wrong = index.journal()[before:]
    assert (missing["kind"], missing["status"]) == ("blocked", 407)
    assert missing["reason"] == "The proxy requires a login"
    assert wrong["reason"] == "The credentials for the proxy are wrong"
    assert "index.example" in wrong["path"]
    assert "a-wrong-password" not in str(index.journal())


def test_a_deleted_impersonation_closes_its_proxy(index: Index, proxy: ProxyClient) -> None:
    index.api_json("DELETE", f"/impersonations/{proxy.id}")

    def is_closed() -> bool:
        try:
            with connect(proxy.url):
                return False
        except ConnectionRefusedError:
            return True

    wait_until(is_closed, "the port of the proxy to be closed")


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "a:b", "password": "x"},
        {"username": "", "password": "x"},
        {"username": "a", "password": ""},
        {"username": "a", "password": "x\n"},
        {"username": "a", "password": "x" * 1025},
        {"username": "a"},
        "a:b",
    ],
)
def test_an_invalid_login_is_rejected(index: Index, wrong: object) -> None:
    response = index.api("POST", "/impersonations", {"urls": [URL], "proxy_login": wrong})
    assert response.status_code == 400


def test_the_number_of_such_proxies_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "MAX_PROXY_LISTENERS", 2)

    async def run() -> None:
        async with running_server(ServerSettings()) as server:
            repository = await server.organization.create_repository("demo")

            async def create() -> CreatedImpersonation:
                return await create_impersonation(
                    server.organization,
                    server.proxy,
                    repository,
                    proxy_login=ProxyLogin("user", "password"),
                )

            impersonations = server.organization.testkit.impersonations
            first, _ = await create(), await create()
            with pytest.raises(InvalidError, match="2 proxies with their own login"):
                await create()
            assert len(impersonations.of(repository.document.id)) == 2
            impersonations.delete(repository.document.id, first.impersonation.id)
            await create()

    asyncio.run(run())
