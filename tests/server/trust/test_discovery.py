"""Discovery and the audience, on the server's own host and on impersonated hosts (PEP 807)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.proxy_client import ProxyClient
from tests.support.raw import SECONDS
from tests.support.trust import exchange, identity_token, rejection, trust

HOST = "http://upload.example"
UPLOAD = HOST + "/legacy/"
TEST_UPLOAD = "http://test.example/legacy/"


class ImpersonatedHost:
    """A client of the hosts that a repository impersonates."""

    def __init__(self, index: Index) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.proxies = {"http": ProxyClient.of(index, UPLOAD, TEST_UPLOAD).url}

    def request(self, method: str, url: str, **options: object) -> requests.Response:
        return self._session.request(method, url, timeout=SECONDS, **options)  # type: ignore[arg-type] # requests' own options

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def host(index: Index) -> Iterator[ImpersonatedHost]:
    host = ImpersonatedHost(index)
    yield host
    host.close()


def discover(path: str) -> str:
    return f"/.well-known/pytp?discover={path}"


@pytest.mark.parametrize("slash", ["", "/"])
def test_discovery_returns_the_endpoints_of_an_upload_url(index: Index, slash: str) -> None:
    response = index.server.request("GET", discover(index.path + slash))
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    base = f"{index.server.url}/_/oidc/repositories/{index.name}"
    endpoints = response.json()
    assert endpoints == {
        "audience-endpoint": f"{base}/audience",
        "token-mint-endpoint": f"{base}/mint-token",
    }
    trust(index)
    audience = index.server.session.get(endpoints["audience-endpoint"]).json()["audience"]
    token = {"token": identity_token(index, audience=audience)}
    assert index.server.session.post(endpoints["token-mint-endpoint"], json=token).ok


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/repositories", "/repositories/", "/other/x", "/repositories/x/simple"),
        *("/repositories/..", "/repositories/%00", "/repositories/A", "/repositories/a%252Fb"),
        *("%ff", "/repositories/%ED%A0%80", "/repositories/" + "x" * 5000),
    ],
)
def test_discovery_of_other_urls_is_not_found(index: Index, path: str) -> None:
    assert index.server.request("GET", discover(path)).status_code == 404


@pytest.mark.parametrize("name", ["%ff", "A", "a%2Fb", "x" * 33, "%00"])
def test_a_name_that_no_repository_can_have_is_not_found(server: Server, name: str) -> None:
    for method, endpoint in (("GET", "audience"), ("POST", "mint-token"), ("POST", "burn-token")):
        response = server.request(method, f"/_/oidc/repositories/{name}/{endpoint}")
        assert response.status_code == 404


def test_discovery_without_a_path_is_not_found(index: Index) -> None:
    response = index.server.request("GET", "/.well-known/pytp")
    assert response.status_code == 404
    assert "?discover=/legacy/" in response.json()["error"]


def test_discovery_does_not_reveal_which_repositories_exist(index: Index) -> None:
    known, unknown = (
        index.server.request("GET", discover(f"/repositories/{name}"))
        for name in (index.name, "nowhere")
    )
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace(index.name, "nowhere") == unknown.text


def test_an_impersonated_host_has_the_paths_of_pypi(host: ImpersonatedHost, index: Index) -> None:
    endpoints = host.request("GET", HOST + discover("/legacy/")).json()
    assert endpoints == {
        "audience-endpoint": f"{HOST}/_/oidc/audience",
        "token-mint-endpoint": f"{HOST}/_/oidc/mint-token",
    }
    assert host.request("GET", endpoints["audience-endpoint"]).json() == {"audience": "pypi"}
    trust(index)
    for path in ("/_/oidc/mint-token", "/_/oidc/github/mint-token"):
        body = {"token": identity_token(index)}
        minted = host.request("POST", HOST + path, json=body).json()["token"]
        form = encode(fields(wheel()))
        login = ("__token__", minted)
        headers = {"Content-Type": form.content_type}
        upload = host.request("POST", UPLOAD, data=form.body, headers=headers, auth=login)
        assert upload.status_code == 200
        burn = host.request("POST", HOST + "/_/oidc/burn-token", json={"token": minted})
        assert burn.status_code == 202
        again = host.request("POST", UPLOAD, data=form.body, headers=headers, auth=login)
        assert again.status_code == 401


def test_an_impersonated_host_is_discovered_by_its_upload_urls(host: ImpersonatedHost) -> None:
    assert host.request("GET", HOST + discover("/legacy")).status_code == 200
    for path in ("/", "/other/", "/legacy/demo/", ""):
        assert host.request("GET", HOST + discover(path)).status_code == 404


def test_a_test_index_has_an_audience_of_its_own(host: ImpersonatedHost, index: Index) -> None:
    trust(index)
    url = "http://test.example/_/oidc/"
    assert host.request("GET", url + "audience").json() == {"audience": "testpypi"}
    token = identity_token(index, audience="testpypi")
    assert rejection(exchange(index, token))[0] == "invalid-token"
    assert host.request("POST", url + "mint-token", json={"token": token}).status_code == 200


def test_a_host_reaches_only_the_publishers_of_its_repository(
    host: ImpersonatedHost, index: Index
) -> None:
    other = index.server.repository()
    trust(other)
    body = {"token": identity_token(other)}
    response = host.request("POST", HOST + "/_/oidc/mint-token", json=body)
    assert rejection(response)[0] == "invalid-publisher"


def test_the_journal_has_every_request(host: ImpersonatedHost, index: Index) -> None:
    trust(index)
    host.request("GET", HOST + discover("/legacy/"))
    host.request("GET", HOST + "/_/oidc/audience")
    host.request("POST", HOST + "/_/oidc/mint-token", json={"token": "x"})
    host.request("POST", HOST + "/_/oidc/mint-token", json={"token": identity_token(index)})
    assert [
        (entry["method"], entry["path"], entry["status"], entry["reason"], entry["user"])
        for entry in index.journal()
    ] == [
        ("GET", "/.well-known/pytp", 200, "OK", None),
        ("GET", "/_/oidc/audience", 200, "OK", None),
        ("POST", "/_/oidc/mint-token", 422, "invalid-payload: malformed JWT", None),
        ("POST", "/_/oidc/mint-token", 200, "OK", "github:acme/demo/release.yml"),
    ]


def test_other_paths_of_an_impersonated_host_are_those_of_the_repository(
    host: ImpersonatedHost,
) -> None:
    for path in ("/.well-known/other", "/_/oidc/other", "/.well-known/openid-configuration"):
        assert host.request("GET", HOST + path).status_code == 404
