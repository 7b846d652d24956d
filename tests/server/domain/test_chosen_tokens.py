"""Tokens whose value is chosen by their creator."""

from __future__ import annotations

import asyncio

import pytest

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.models import TokenDocument
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index

VALUES = [
    "pypi-AgEIcHlwaS5vcmc",
    "glpat-Zx9_kL-3mN.qR",
    "0123456789abcdef",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "c2VjcmV0Cg==",
    "x" * 2048,
]


@pytest.mark.parametrize("value", VALUES)
def test_a_token_can_have_a_chosen_value(index: Index, value: str) -> None:
    assert index.token(value=value)["token"] == value
    headers = {"Authorization": f"Bearer {value}"}
    assert index.request("GET", "/", auth=("__token__", value)).status_code == 200
    assert index.request("GET", "/", auth=None, headers=headers).status_code == 200
    assert index.send(encode(fields(wheel())), auth=("any", value)).status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1234567",
        "x" * 2049,
        "with space",
        "with:colon",
        "user@example.com",
        "line\nbreak",
        "trailing\n",
        "sécret-value",
        "=========",
        "cloudrepo.0123456789abcdef.secret",
        "pypi-cloudrepo.0123456789abcdef.secret",
    ],
)
def test_an_invalid_value_is_rejected_without_being_repeated(index: Index, value: str) -> None:
    response = index.server.api("POST", "/tokens", {"repository": index.name, "value": value})
    assert response.status_code == 400
    assert "value" in response.json()["error"]
    assert not value or value not in response.text


def test_a_value_is_valid_for_the_repository_of_its_token_only(index: Index) -> None:
    other, value = index.server.repository(), "the-same-value"
    token = index.token(value=value)
    login = ("__token__", value)
    assert other.request("GET", "/", auth=login).status_code == 401
    other.token(value=value, read_only=True)
    assert other.request("GET", "/", auth=login).status_code == 200
    assert other.send(encode(fields(wheel())), auth=login).status_code == 403
    assert index.send(encode(fields(wheel())), auth=login).status_code == 200
    index.server.api_json("DELETE", f"/tokens/{token['id']}")
    assert index.request("GET", "/", auth=login).status_code == 401
    assert other.request("GET", "/", auth=login).status_code == 200


def test_a_value_is_valid_at_repositories_only(index: Index) -> None:
    login = ("__token__", index.token(value="a-chosen-value")["token"])
    assert index.server.request("GET", "/api/tokens", auth=login).status_code == 401
    assert index.server.request("GET", "/repositories/", auth=login).status_code == 401


def test_a_value_can_be_chosen_once_in_a_repository(index: Index) -> None:
    token = index.token(value="a-chosen-value")
    again = {"repository": index.name, "value": "a-chosen-value"}
    response = index.server.api("POST", "/tokens", again)
    assert response.status_code == 409
    assert token["id"] in response.json()["error"]
    assert "a-chosen-value" not in response.text
    index.server.api_json("DELETE", f"/tokens/{token['id']}")
    assert index.server.api("POST", "/tokens", again).status_code == 201


def test_deleting_a_repository_revokes_its_chosen_tokens(index: Index) -> None:
    token = index.token(value="a-chosen-value")
    index.api_json("DELETE")
    new = index.server.repository(index.name)
    assert new.request("GET", "/", auth=("x", token["token"])).status_code == 401
    listed = {each["id"] for each in index.server.api_json("GET", "/tokens")["tokens"]}
    assert token["id"] not in listed


def test_the_passphrase_of_a_user_has_precedence_over_a_token_of_the_same_value(
    index: Index,
) -> None:
    user = index.server.user(passphrase="a-chosen-value")
    index.token(value="a-chosen-value", read_only=True)
    assert index.send(encode(fields(wheel())), auth=user).status_code == 200
    assert index.send(encode(fields(wheel())), auth=("x", user[1])).status_code == 403


def test_neither_the_document_nor_the_journal_contains_the_value(index: Index) -> None:
    value = "a-chosen-value"
    token = index.token(value=value)
    index.request("GET", f"/{value}/", auth=("__token__", value))
    assert value not in str(index.journal())
    assert token["id"] in index.journal()[-1]["user"]

    async def stored() -> tuple[TokenDocument, str]:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        repository = await organization.create_repository("demo")
        document, returned = await organization.tokens.create(repository.document, value=value)
        await organization.close()
        return document, returned

    document, returned = asyncio.run(stored())
    assert returned == value
    assert value not in str(document)
