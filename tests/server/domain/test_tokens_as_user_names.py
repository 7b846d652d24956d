"""A token as the user name, with any password or none, as Gemfury and Cloudsmith accept it."""

from __future__ import annotations

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.raw import basic
from tests.support.server_fixtures import StartServer

VALUE = "chosen-token-value"


@pytest.mark.parametrize("password", ["", "x", "NOPASS", "__token__"])
@pytest.mark.parametrize("value", [None, VALUE])
def test_a_token_is_accepted_as_a_user_name_with_any_password(
    index: Index, value: str | None, password: str
) -> None:
    login = (index.token(value=value)["token"], password)
    assert index.request("GET", "/", auth=login).status_code == 200
    assert index.send(encode(fields(wheel())), auth=login).status_code == 200
    other = index.server.repository()
    assert other.request("GET", "/", auth=login).status_code in (401, 403)


@pytest.mark.parametrize("value", [None, VALUE])
def test_a_token_as_a_user_name_keeps_its_permission_and_lifetime(
    index: Index, value: str | None
) -> None:
    token = index.token(value=value, read_only=True)
    login = (token["token"], "")
    assert index.send(encode(fields(wheel())), auth=login).status_code == 403
    index.server.api_json("PATCH", f"/tokens/{token['id']}", {"expires_in": 0})
    assert index.request("GET", "/", auth=login).status_code == 401
    assert "expired at" in index.journal()[-1]["error"]
    index.server.api_json("DELETE", f"/tokens/{token['id']}")
    assert index.request("GET", "/", auth=login).status_code == 401


def test_a_wrong_token_as_a_user_name_is_rejected(index: Index) -> None:
    token = index.token()["token"]
    for wrong in (token[:-1], token + "x", token.upper(), f"{token}@example.com", ""):
        assert index.request("GET", "/", auth=(wrong, "")).status_code == 401, wrong


def test_a_wrong_token_as_the_password_is_not_replaced_by_the_user_name(index: Index) -> None:
    right, wrong = index.token()["token"], index.token()
    index.server.api_json("DELETE", f"/tokens/{wrong['id']}")
    assert index.request("GET", "/", auth=(right, wrong["token"])).status_code == 401


def test_the_password_has_precedence_over_the_user_name(index: Index) -> None:
    writer, reader = index.token()["token"], index.token(read_only=True)["token"]
    assert index.send(encode(fields(wheel())), auth=(writer, reader)).status_code == 403
    assert index.send(encode(fields(wheel())), auth=(reader, writer)).status_code == 200


def test_the_name_of_the_admin_user_is_never_a_token(start_server: StartServer) -> None:
    # The name of the admin user is no secret.
    environ = {"CLOUDREPO_ADMIN_USERNAME": VALUE, "CLOUDREPO_ADMIN_PASSWORD": "admin-password"}
    server = Server(start_server(environ=environ))
    index = server.repository()
    index.token(value=VALUE)
    assert index.request("GET", "/", auth=(VALUE, "wrong")).status_code == 401
    assert index.request("GET", "/", auth=("x", VALUE)).status_code == 200
    server.close()


@pytest.mark.parametrize("password", ["", "x"])
@pytest.mark.parametrize("value", [None, VALUE])
@pytest.mark.parametrize("expires_in", [None, -1])
def test_the_journal_and_the_log_do_not_contain_the_user_name(
    index: Index, value: str | None, password: str, expires_in: float | None
) -> None:
    token = index.token(value=value, expires_in=expires_in)["token"]
    secret = token.rpartition(".")[2]
    before = len(index.server.process.log)
    encoded = basic(token, password).removeprefix("Basic ")
    headers = {"User-Agent": f"demo/{token}", "X-Note": f"seen {token}"}
    path = f"/{token}/?q={token}&r={encoded}"
    index.request("GET", path, auth=(token, password), headers=headers)
    assert secret not in str(index.journal())
    assert encoded.rstrip("=") not in str(index.journal())
    assert secret not in index.server.process.log[before:]


def test_a_token_as_a_user_name_is_not_valid_for_the_admin_api(index: Index) -> None:
    token = index.token()["token"]
    assert index.server.request("GET", "/api/tokens", auth=(token, "")).status_code == 403
