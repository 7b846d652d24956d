"""Tokens: each is valid for one repository, with the permission that it was created with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server


def bearer(token: str) -> dict[str, Any]:
    return {"auth": None, "headers": {"Authorization": f"Bearer {token}"}}


def basic(token: str, username: str = "cloudrepo") -> dict[str, Any]:
    return {"auth": (username, token)}


def test_a_token_is_returned_once(index: Index) -> None:
    created = index.token()
    assert (created["repository"], created["read_only"]) == (index.name, False)
    listed = {token["id"]: token for token in index.server.api_json("GET", "/tokens")["tokens"]}
    assert "token" not in listed[created["id"]]
    assert listed[created["id"]]["repository"] == index.name


@pytest.mark.parametrize("username", ["cloudrepo", "", "__token__", "anybody@example.com", "Ä"])
def test_a_token_is_accepted_as_the_password_of_any_user_name(index: Index, username: str) -> None:
    token = index.token()["token"]
    assert index.request("GET", "/", **basic(token, username)).status_code == 200
    archive = wheel()
    response = index.send(encode(fields(archive)), **basic(token, username))
    assert response.status_code == 200
    assert index.request("GET", "/demo/", **basic(token, username)).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_token_is_accepted_as_a_bearer_token(index: Index, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {index.token()['token']}"}
    assert index.request("GET", "/", auth=None, headers=headers).status_code == 200
    assert index.send(encode(fields(wheel())), auth=None, headers=headers).status_code == 200


def test_a_token_keeps_its_permission_if_the_user_name_is_that_of_a_user(index: Index) -> None:
    token = index.token(read_only=True)["token"]
    response = index.send(encode(fields(wheel())), **basic(token, index.username))
    assert response.status_code == 403


def test_a_read_only_token_cannot_publish(index: Index) -> None:
    token = index.token(read_only=True)["token"]
    for login in (basic(token), bearer(token)):
        assert index.request("GET", "/", **login).status_code == 200
        response = index.send(encode(fields(wheel())), **login)
        assert response.status_code == 403
        assert "read only" in response.json()["error"]
    assert index.json("/")["projects"] == []


def test_a_token_is_valid_for_one_repository_only(index: Index) -> None:
    token, other = index.token()["token"], index.server.repository()
    for login in (basic(token), bearer(token)):
        assert other.request("GET", "/", **login).status_code == 403
        assert other.request("GET", "/demo/x.whl", **login).status_code == 403
        response = other.send(encode(fields(wheel())), **login)
        assert response.status_code == 403
        assert other.name in response.json()["error"]
        assert index.server.request("GET", "/repositories/", **login).status_code == 200
        assert index.server.request("GET", "/repositories/nowhere/", **login).status_code == 404


def test_a_token_is_not_valid_for_the_admin_api(index: Index) -> None:
    login = bearer(index.token()["token"])
    assert index.server.request("GET", "/api/tokens", **login).status_code == 403


def test_a_revoked_token_is_rejected_at_the_next_request(index: Index) -> None:
    created, kept = index.token(), index.token()
    assert index.server.api("DELETE", f"/tokens/{created['id']}").status_code == 204
    for login in (basic(created["token"]), bearer(created["token"])):
        response = index.request("GET", "/", **login)
        assert response.status_code == 401
        assert "WWW-Authenticate" in response.headers
    assert index.request("GET", "/", **bearer(kept["token"])).status_code == 200
    assert index.server.api("DELETE", f"/tokens/{created['id']}").status_code == 404


def test_deleting_a_repository_revokes_its_tokens(index: Index) -> None:
    created = index.token()
    index.api_json("DELETE")
    new = index.server.repository(index.name)
    assert new.request("GET", "/", **bearer(created["token"])).status_code == 401
    listed = {token["id"] for token in index.server.api_json("GET", "/tokens")["tokens"]}
    assert created["id"] not in listed


def test_a_corrupted_token_is_rejected(index: Index) -> None:
    created = index.token()
    token, other = created["token"], index.token()["token"]
    secret = token.rpartition(".")[2]
    for corrupted in (
        token[:-1],
        token + "x",
        token.upper(),
        token.replace(created["id"], "0" * 16),
        other.rpartition(".")[0] + "." + secret,
        f"cloudrepo.{created['id']}.",
        "cloudrepo.../../users/x.y",
        f"cloudrepo.{'0' * 2000}.{secret}",
    ):
        assert index.request("GET", "/", **bearer(corrupted)).status_code == 401
        assert index.request("GET", "/", **basic(corrupted)).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [({"repository": "nowhere"}, 404), ({}, 400), ({"repository": 1}, 400), ({"repo": "x"}, 400)],
)
def test_a_token_for_an_unknown_repository_is_rejected(
    server: Server, body: dict[str, object], status: int
) -> None:
    assert server.api("POST", "/tokens", body).status_code == status


@pytest.mark.parametrize("token_id", ["nothing", "..%2Fusers", "%2e%2e", "a.b", "é", "0" * 2000])
def test_revoking_an_unknown_token_is_not_found(server: Server, token_id: str) -> None:
    assert server.api("DELETE", f"/tokens/{token_id}").status_code == 404


def test_the_journal_contains_the_id_of_a_token_but_not_its_secret(index: Index) -> None:
    created = index.token()
    index.request("GET", "/", **bearer(created["token"]))
    entry = index.journal()[-1]
    assert created["id"] in entry["user"]
    assert created["token"].rpartition(".")[2] not in str(entry)
