"""The settings about logins: which logins are accepted, and what needs none."""

from __future__ import annotations

from typing import Any

import pytest

from cloudrepo_server.specs.dialects import DIALECTS
from tests.support.archives import wheel
from tests.support.dialects import REGISTRIES
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.raw import basic

FORM = encode(fields(wheel()))
LOGINS = [
    {"auth": ("anybody", "anything")},
    {"auth": ("somebody@example.com", "")},
    {"auth": ("", "x")},
    {"auth": ("\u00e4\u00f6", "\u00fc")},
    {"auth": None, "headers": {"Authorization": "Bearer some-token"}},
]


@pytest.mark.parametrize("login", LOGINS)
def test_any_login_may_read_and_upload_if_the_setting_says_so(
    server: Server, login: dict[str, Any]
) -> None:
    index = server.repository(logins="any")
    assert index.send(FORM, **login).status_code == 200
    assert index.request("GET", "/demo/", **login).status_code == 200
    assert index.request("GET", "/", auth=None).status_code == 401
    assert index.send(FORM, auth=None).status_code == 401
    index.set(logins="known")
    assert index.request("GET", "/demo/", **login).status_code == 401


@pytest.mark.parametrize("header", ["Basic %%%", "Digest x", "Basic"])
def test_a_malformed_login_is_no_login(server: Server, header: str) -> None:
    index = server.repository(logins="any", anonymous="upload")
    headers = {"Authorization": header}
    assert index.request("GET", "/", auth=None, headers=headers).status_code in (200, 401)
    assert index.server.request("GET", "/healthz").status_code == 200


def test_the_journal_shows_the_name_of_any_login_but_no_secret(server: Server) -> None:
    index = server.repository(logins="any")
    for auth in (
        ("ci", "the-password"),
        ("a-secret-value", ""),
        ("cloudrepo.0123456789abcdef.secret-part", "x"),
        ("two\nlines", "x"),
    ):
        headers = {"Authorization": basic(*auth)}
        assert index.request("GET", "/", auth=None, headers=headers).status_code == 200
    users = [entry["user"] for entry in index.journal()]
    assert users == ["ci", "***", "***", "two?lines"]
    for secret in ("the-password", "a-secret-value", "secret-part"):
        assert secret not in str(index.journal())


def test_the_uploader_of_a_file_is_the_name_of_the_login(server: Server) -> None:
    index = server.repository(logins="any", anonymous="upload")
    index.send(FORM, auth=("ci", "x"))
    index.send(encode(fields(wheel(version="2.0"))), auth=None)
    files = index.api_json("GET", "/projects/demo")["files"]
    assert [file["uploader"] for file in files] == ["ci", "anonymous"]


@pytest.mark.parametrize(
    ("anonymous", "read", "upload"),
    [("nothing", 401, 401), ("read", 200, 401), ("upload", 200, 200)],
)
def test_the_setting_says_what_needs_no_login(
    server: Server, anonymous: str, read: int, upload: int
) -> None:
    index = server.repository(anonymous=anonymous)
    assert index.send(FORM, auth=None).status_code == upload
    index.publish(wheel())
    for below in ("/", "/demo/", f"/demo/{wheel().filename}"):
        assert index.request("GET", below, auth=None).status_code == read
    assert index.request("GET", "/", auth=("", "")).status_code == read
    # Wrong credentials are rejected although none are needed.
    assert index.request("GET", "/", auth=("x@example.com", "wrong")).status_code == 401
    reader = server.user(read_only=True)
    assert index.send(FORM, auth=reader).status_code == 403


def test_a_page_of_another_site_cannot_upload_without_a_login(server: Server) -> None:
    index = server.repository(anonymous="upload")
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert index.send(FORM, auth=None, headers=headers).status_code == 403
    assert index.json("/")["projects"] == []


@pytest.mark.parametrize("name", ["root", "ci-bot", "0", "first.last", "a_b+c"])
def test_a_user_name_need_not_be_an_address_except_in_the_dialect_cloudrepo(
    server: Server, name: str
) -> None:
    login = server.user(email=name)
    index = server.repository()
    for dialect in ("modern", "devpi", "pypiserver", "gitlab"):
        index.set(dialect=dialect)
        assert index.request("GET", "/", auth=login).status_code == 200, dialect
    index.set(dialect="cloudrepo")
    assert index.request("GET", "/", auth=login).status_code == 401
    assert "is not an e-mail address" in index.journal()[-1]["error"]


@pytest.mark.parametrize("name", ["__token__", "with space", "a:b", "a/b", "", "x" * 255, "\u00e4"])
def test_an_invalid_user_name_is_rejected(server: Server, name: str) -> None:
    assert server.api("POST", "/users", {"email": name}).status_code == 400


def test_a_token_cannot_be_a_user_name_and_is_not_repeated(index: Index) -> None:
    token = index.token()["token"]
    response = index.server.api("POST", "/users", {"email": token})
    assert response.status_code == 400
    assert token not in response.text


def test_the_name_of_a_user_is_never_taken_for_a_token(index: Index) -> None:
    value = "deploy-bot"
    index.token(value=value)
    assert index.request("GET", "/", auth=(value, "x")).status_code == 200
    index.server.user(email=value)
    assert index.request("GET", "/", auth=(value, "x")).status_code == 401
    assert index.request("GET", "/", auth=("x", value)).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [
        {"logins": "none"},
        {"anonymous": "everything"},
        {"no_login_status": 500},
        {"no_access_status": 0},
        {"private_projects": ["*"]},
        {"private_projects": ["a*b"]},
        {"private_projects": ["x" * 241]},
        {"private_projects": ["a"] * 101},
        {"private_projects": "acme-*"},
    ],
)
def test_an_invalid_setting_about_logins_is_rejected(
    index: Index, settings: dict[str, object]
) -> None:
    response = index.api("PATCH", json=settings)
    assert response.status_code == 400
    assert next(iter(settings)) in response.json()["error"]


@pytest.mark.parametrize("dialect", REGISTRIES)
def test_a_token_needs_a_user_name_of_its_dialect(server: Server, dialect: str) -> None:
    index = server.repository(dialect=dialect)
    index.publish(wheel())
    created = index.token()
    token, names = created["token"], DIALECTS[dialect].token_user_names
    assert created["username"] == (names or ("__token__",))[0]

    def read_as(*auth: str) -> int:
        return index.request("GET", "/demo/", auth=auth).status_code

    for name in names:
        assert read_as(name, token) == 200
    for auth in (("__token__", token), ("ci", token), (token, "")):
        assert read_as(*auth) == (401 if names else 200)
    bearer = {"Authorization": f"Bearer {token}"}
    assert index.request("GET", "/demo/", auth=None, headers=bearer).status_code == 200
    # Users log in as in every dialect.
    assert index.get("/demo/").status_code == 200
    if names:
        assert index.send(FORM, auth=("__token__", token)).status_code == 401
        assert f"user name {names[0]!r}" in index.journal()[-1]["error"]


def test_the_user_names_of_tokens_do_not_matter_if_any_login_is_accepted(server: Server) -> None:
    index = server.repository(dialect="google", logins="any")
    assert index.send(FORM, auth=("__token__", index.token()["token"])).status_code == 200
