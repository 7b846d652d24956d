"""The status for a repository or project that a client may not see: 401, 403 or 404."""

from __future__ import annotations

import pytest
import requests

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import JSON, Index, Server

SECRETS = ["secret", "Secret", "acme-tools", "acme_tools", "ACME.other"]
PATTERNS = ["Secret", "Acme_*"]


@pytest.fixture(scope="module")
def private(server: Server) -> Index:
    """A repository with two private projects and one that anybody can read."""
    index = server.repository(anonymous="read", public=True, private_projects=PATTERNS)
    for name in ("demo", "secret", "acme-tools"):
        index.publish(wheel(name))
    return index


def anonymous(index: Index, below: str, *, public: bool = False) -> requests.Response:
    path = ("/public" if public else "") + index.path + below
    return index.server.request("GET", path, headers={"Accept": JSON})


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("name", SECRETS)
def test_a_private_project_needs_a_login(private: Index, name: str, *, public: bool) -> None:
    filename = wheel(name.lower().replace("_", "-")).filename
    for below in (f"/{name}/", f"/simple/{name}/", f"/{name}/{filename}", f"/{name}/x.metadata"):
        response = anonymous(private, below, public=public)
        assert response.status_code == 401, below
        assert "WWW-Authenticate" in response.headers
        path = ("/public" if public else "") + private.path + below
        known = private.server.request("GET", path, auth=private.auth)
        assert known.status_code in (200, 404), below
        wrong = private.server.request("GET", path, auth=("x@example.com", "wrong"))
        assert wrong.status_code == 401, below
    assert anonymous(private, "/demo/", public=public).status_code == 200


@pytest.mark.parametrize("dialect", ["modern", "pypi", "cloudrepo"])
@pytest.mark.parametrize("public", [False, True])
def test_anonymous_clients_do_not_see_the_names_of_private_projects(
    private: Index, dialect: str, *, public: bool
) -> None:
    private.set(dialect=dialect)
    try:
        path = ("/public" if public else "") + private.path + "/simple/"
        for _ in range(2):
            seen = anonymous(private, "/simple/", public=public).text
            known = private.server.request("GET", path, auth=private.auth).text
            assert ("demo" in seen, "secret" in seen, "acme" in seen) == (True, False, False)
            assert ("demo" in known, "secret" in known, "acme" in known) == (True, True, True)
    finally:
        private.set(dialect="modern")


def test_a_project_that_is_made_private_disappears_at_the_next_request(server: Server) -> None:
    index = server.repository(anonymous="read")
    index.publish(wheel("demo"), wheel("other"))
    assert "other" in anonymous(index, "/").text
    index.set(private_projects=["other"])
    assert "other" not in anonymous(index, "/").text
    assert anonymous(index, "/other/").status_code == 401
    index.set(private_projects=["demo"])
    assert "other" in anonymous(index, "/").text
    assert "demo" not in anonymous(index, "/").text


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_missing_and_a_private_project_look_alike(private: Index, status: int) -> None:
    private.set(no_login_status=status)
    try:
        existing = anonymous(private, "/acme-tools/")
        missing = anonymous(private, "/acme-nothing/")
        assert existing.status_code == missing.status_code == status
        assert existing.json()["error"].replace("tools", "nothing") == missing.json()["error"]
        if status == 404:
            absent = anonymous(private, "/nothing/").json()["error"]
            assert existing.json()["error"].replace("acme-tools", "nothing") == absent
            assert "Credentials are required" in private.journal()[-2]["error"]
    finally:
        private.set(no_login_status=None)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_status_without_a_login_is_a_setting(server: Server, status: int) -> None:
    index = server.repository(no_login_status=status)
    read = index.request("GET", "/", auth=None)
    upload = index.send(encode(fields(wheel())), auth=None)
    assert [read.status_code, upload.status_code] == [status, status]
    assert ("WWW-Authenticate" in read.headers) == (status == 401)
    if status == 404:
        missing = server.request("GET", "/repositories/nowhere/", auth=index.auth)
        assert read.json()["error"].replace(index.name, "nowhere") == missing.json()["error"]
        assert "Credentials are required" in index.journal()[0]["error"]
    assert index.request("GET", "/", auth=index.auth).status_code == 200


@pytest.mark.parametrize("dialect", ["modern", "pypi", "pypiserver"])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_status_without_access_is_a_setting(server: Server, dialect: str, status: int) -> None:
    index, other = server.repository(no_access_status=status, dialect=dialect), server.repository()
    token = other.token()["token"]
    login = ("__token__", token)
    assert index.request("GET", "/", auth=login).status_code == status
    assert index.send(encode(fields(wheel())), auth=login).status_code == status
    assert "not valid for the repository" in index.journal()[-1]["error"]
    # A read-only user sees the repository.
    reader = server.user(read_only=True)
    assert index.send(encode(fields(wheel())), auth=reader).status_code == 403


@pytest.mark.parametrize(("dialect", "status"), [("modern", 403), ("gitlab", 404)])
def test_the_dialect_decides_the_status_without_access(
    server: Server, dialect: str, status: int
) -> None:
    index, other = server.repository(dialect=dialect), server.repository()
    token = other.token()["token"]
    assert index.request("GET", "/", auth=("__token__", token)).status_code == status
    assert index.request("GET", "/", auth=None).status_code == 401


def test_a_repository_that_is_an_upstream_hides_the_projects_by_the_settings_of_the_reader(
    private: Index,
) -> None:
    index = private.server.repository(
        upstream=[private.name], anonymous="read", private_projects=["demo"]
    )
    assert anonymous(index, "/acme-tools/").status_code == 200
    assert anonymous(index, "/demo/").status_code == 401
    assert "demo" not in anonymous(index, "/").text
