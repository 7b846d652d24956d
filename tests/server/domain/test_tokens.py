"""Tokens: each stands for one repository, with the rights that it was made with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server


def make(index: Index, *, read_only: bool = False) -> dict[str, Any]:
    body = {"repository": index.name, "read_only": read_only}
    made: dict[str, Any] = index.server.done("POST", "/tokens", body)
    return made


def bearer(token: str) -> dict[str, Any]:
    return {"auth": None, "headers": {"Authorization": f"Bearer {token}"}}


def basic(token: str, username: str = "cloudrepo") -> dict[str, Any]:
    return {"auth": (username, token)}


def test_a_token_is_told_once(index: Index) -> None:
    made = make(index)
    assert (made["repository"], made["read_only"]) == (index.name, False)
    listed = {token["id"]: token for token in index.server.done("GET", "/tokens")["tokens"]}
    assert "token" not in listed[made["id"]]
    assert listed[made["id"]]["repository"] == index.name


@pytest.mark.parametrize("username", ["cloudrepo", "", "__token__", "anybody@example.com", "Ä"])
def test_a_token_is_a_basic_password_with_any_user_name(index: Index, username: str) -> None:
    token = make(index)["token"]
    assert index.request("GET", "/", **basic(token, username)).status_code == 200
    archive = wheel()
    answer = index.send(encode(fields(archive)), **basic(token, username))
    assert answer.status_code == 200
    assert index.request("GET", "/demo/", **basic(token, username)).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_token_is_a_bearer(index: Index, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {make(index)['token']}"}
    assert index.request("GET", "/", auth=None, headers=headers).status_code == 200
    assert index.send(encode(fields(wheel())), auth=None, headers=headers).status_code == 200


def test_a_token_with_the_name_of_a_user_is_a_token(index: Index) -> None:
    token = make(index, read_only=True)["token"]
    answer = index.send(encode(fields(wheel())), **basic(token, index.username))
    assert answer.status_code == 403


def test_a_read_only_token_may_not_publish(index: Index) -> None:
    token = make(index, read_only=True)["token"]
    for login in (basic(token), bearer(token)):
        assert index.request("GET", "/", **login).status_code == 200
        answer = index.send(encode(fields(wheel())), **login)
        assert answer.status_code == 403
        assert "read only" in answer.json()["error"]
    assert index.json("/")["projects"] == []


def test_a_token_reaches_its_own_repository_alone(index: Index) -> None:
    token, other = make(index)["token"], index.server.repository()
    for login in (basic(token), bearer(token)):
        assert other.request("GET", "/", **login).status_code == 403
        assert other.request("GET", "/demo/x.whl", **login).status_code == 403
        answer = other.send(encode(fields(wheel())), **login)
        assert answer.status_code == 403
        assert other.name in answer.json()["error"]
        assert index.server.request("GET", "/repositories/", **login).status_code == 200
        assert index.server.request("GET", "/repositories/nowhere/", **login).status_code == 404


def test_a_token_is_no_login_for_the_api(index: Index) -> None:
    login = bearer(make(index)["token"])
    assert index.server.request("GET", "/api/tokens", **login).status_code == 403


def test_a_deleted_token_is_nothing_at_once(index: Index) -> None:
    made, kept = make(index), make(index)
    assert index.server.api("DELETE", f"/tokens/{made['id']}").status_code == 204
    for login in (basic(made["token"]), bearer(made["token"])):
        answer = index.request("GET", "/", **login)
        assert answer.status_code == 401
        assert "WWW-Authenticate" in answer.headers
    assert index.request("GET", "/", **bearer(kept["token"])).status_code == 200
    assert index.server.api("DELETE", f"/tokens/{made['id']}").status_code == 404


def test_a_token_ends_with_its_repository(index: Index) -> None:
    made = make(index)
    index.done("DELETE")
    again = index.server.repository(index.name)
    assert again.request("GET", "/", **bearer(made["token"])).status_code == 401
    listed = {token["id"] for token in index.server.done("GET", "/tokens")["tokens"]}
    assert made["id"] not in listed


def test_a_spoilt_token_is_401(index: Index) -> None:
    made = make(index)
    token, other = made["token"], make(index)["token"]
    secret = token.rpartition(".")[2]
    for spoilt in (
        token[:-1],
        token + "x",
        token.upper(),
        token.replace(made["id"], "0" * 16),
        other.rpartition(".")[0] + "." + secret,
        f"cloudrepo.{made['id']}.",
        "cloudrepo.../../users/x.y",
        f"cloudrepo.{'0' * 2000}.{secret}",
    ):
        assert index.request("GET", "/", **bearer(spoilt)).status_code == 401
        assert index.request("GET", "/", **basic(spoilt)).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [({"repository": "nowhere"}, 404), ({}, 400), ({"repository": 1}, 400), ({"repo": "x"}, 400)],
)
def test_a_token_for_nothing_is_refused(
    server: Server, body: dict[str, object], status: int
) -> None:
    assert server.api("POST", "/tokens", body).status_code == status


@pytest.mark.parametrize("token_id", ["nothing", "..%2Fusers", "%2e%2e", "a.b", "é", "0" * 2000])
def test_a_token_that_is_not_there(server: Server, token_id: str) -> None:
    assert server.api("DELETE", f"/tokens/{token_id}").status_code == 404


def test_the_journal_names_the_token_and_not_its_secret(index: Index) -> None:
    made = make(index)
    index.request("GET", "/", **bearer(made["token"]))
    entry = index.journal()[-1]
    assert made["id"] in entry["user"]
    assert made["token"].rpartition(".")[2] not in str(entry)
