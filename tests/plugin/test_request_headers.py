"""The headers of requests in the journal: what clients sent, and where they sent a login."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import pytest
import requests

from pytest_cloudrepo.headers import Headers

if TYPE_CHECKING:
    from pytest_cloudrepo import Repository, RepositoryFactory, VirtualEnv

Installer = Literal["pip", "uv"]


def test_headers_are_found_in_any_case_and_keep_their_order(cloudrepo: Repository) -> None:
    sent = {"Accept": "text/html", "X-First": "1", "If-None-Match": '"a"', "x-last": "2"}
    requests.get(cloudrepo.index_url + "/", headers=sent, timeout=10)
    (request,) = cloudrepo.requests
    assert {name: request.headers[name.lower()] for name in sent} == sent
    assert [name for name in request.headers if name in sent] == [*sent]
    assert request.headers.get("Range") is None
    assert "ACCEPT" in request.headers
    assert request.arrived > 0


def test_the_values_of_a_repeated_header_are_joined() -> None:
    headers = Headers([("Accept", "a"), ("Host", "x"), ("accept", "b")])
    assert headers == {"ACCEPT": "a, b", "host": "x"}
    assert list(headers) == ["Accept", "Host"]
    assert len(headers) == 2
    assert headers != {"Accept": "a"}


def test_the_headers_can_be_copied_but_not_changed(cloudrepo: Repository) -> None:
    requests.get(cloudrepo.index_url + "/", timeout=10)
    (request,) = cloudrepo.requests
    with pytest.raises(TypeError):
        request.headers["Accept"] = "x"  # type: ignore[index]
    assert pickle.loads(pickle.dumps(request)) == copy.deepcopy(request) == request  # noqa: S301 (our own data)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Basic dXNlcjpwYXNzcGhyYXNl", "Basic ***"),
        ("Bearer cloudrepo.0123456789abcdef.secret", "Bearer ***"),
        ("secret-without-a-scheme", "***"),
    ],
)
def test_a_login_is_recorded_without_its_secret(
    cloudrepo: Repository, value: str, shown: str
) -> None:
    class Login(requests.auth.AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = value
            return request

    requests.get(f"{cloudrepo.url}/", auth=Login(), timeout=10)
    (request,) = cloudrepo.requests
    assert request.authorized
    assert request.status == 401
    assert request.headers["authorization"] == shown
    assert value not in repr(request.headers)


def test_a_login_after_many_long_headers_is_recorded(cloudrepo: Repository) -> None:
    sent = {f"X-{number}": "x" * 900 for number in range(30)}
    requests.get(cloudrepo.index_url + "/", headers=sent, timeout=10)
    (request,) = cloudrepo.requests
    assert "X-29" not in request.headers
    assert request.authorized
    assert request.user is not None


def test_a_request_without_a_login_is_not_authorized(cloudrepo: Repository) -> None:
    requests.get(f"{cloudrepo.url}/", timeout=10)
    assert [request.authorized for request in cloudrepo.requests] == [False]


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_no_login_is_sent_to_the_host_of_a_redirect(
    cloudrepo_factory: RepositoryFactory, cloudrepo_venv: VirtualEnv, installer: Installer
) -> None:
    index, elsewhere = cloudrepo_factory(), cloudrepo_factory(public=True)
    for each in (index, elsewhere):
        each.publish_all({"demo": {"1.0": []}})
    other_host = elsewhere.url.replace("127.0.0.1", "localhost").replace(
        "/repositories/", "/public/repositories/"
    )
    index.fault("redirect", location=f"{other_host}/demo/", path="/demo/")
    cloudrepo_venv.install("demo", index=index, installer=installer)
    assert all(request.authorized for request in index.requests if request.status != 401)
    assert {request.authorized for request in elsewhere.requests} == {False}
    page = elsewhere.requests[0]
    assert page.headers["Host"].startswith("localhost:")
    assert "application/vnd.pypi.simple.v1+json" in page.headers["Accept"]
    assert page.arrived >= index.requests[-1].arrived


def test_the_login_of_a_blocked_request_is_recorded(cloudrepo: Repository) -> None:
    index_url = f"http://{quote('me@example.com')}:passphrase@other.example/simple"
    install = ("uv", "pip", "install", "--dry-run", "--python", sys.executable)
    environ = cloudrepo.impersonate()
    cloudrepo.run(*install, "--index-url", index_url, "demo", environ=environ, check=False)
    blocked = [request for request in cloudrepo.requests if request.kind == "blocked"]
    assert {request.headers.get("Authorization") for request in blocked} == {"Basic ***"}
