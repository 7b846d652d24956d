"""Tokens that expire, their names, and the time at which they were used last."""

from __future__ import annotations

import asyncio
from datetime import datetime
from time import time
from typing import Any

import pytest
import requests

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.models import TokenDocument
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.raw import basic, connect, request
from tests.support.wait import wait_until


def change(index: Index, token: dict[str, Any], **changes: object) -> dict[str, Any]:
    changed: dict[str, Any] = index.server.api_json("PATCH", f"/tokens/{token['id']}", changes)
    return changed


def listed(index: Index, token: dict[str, Any]) -> dict[str, Any]:
    tokens = index.server.api_json("GET", "/tokens")["tokens"]
    return next(each for each in tokens if each["id"] == token["id"])


def get(index: Index, token: dict[str, Any], below: str = "/") -> requests.Response:
    return index.request("GET", below, auth=("__token__", token["token"]))


@pytest.mark.parametrize("value", [None, "s3cret-value"])
def test_a_token_is_valid_until_it_expires(index: Index, value: str | None) -> None:
    token = index.token(value=value, expires_in=3600)
    assert time() < token["expires"] <= time() + 3600
    assert get(index, token).status_code == 200
    assert change(index, token, expires_in=0)["expires"] <= time()
    assert get(index, token).status_code == 401
    assert change(index, token, expires_in=None)["expires"] is None
    assert get(index, token).status_code == 200


@pytest.mark.parametrize("dialect", ["modern", "pypi", "devpi", "pypiserver"])
@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_an_expired_token_gets_the_response_of_a_wrong_token(
    server: Server, dialect: str, scheme: str
) -> None:
    index = server.repository(dialect=dialect)
    token = index.token(expires_in=-1)["token"]
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")

    def responses(secret: str) -> list[tuple[int, str, bytes]]:
        login: dict[str, Any] = {"auth": ("__token__", secret)}
        if scheme == "bearer":
            login = {"auth": None, "headers": {"Authorization": f"Bearer {secret}"}}
        read = index.request("GET", "/", **login)
        write = index.send(encode(fields(wheel())), **login)
        return [(each.status_code, each.reason, each.content) for each in (read, write)]

    assert responses(token) == responses(wrong)
    assert {status for status, _, _ in responses(token)} <= {401, 403}


def test_the_journal_says_which_token_has_expired(index: Index) -> None:
    token = index.token(name="deploy", expires_in=-60)
    get(index, token)
    [entry] = index.journal()
    assert entry["status"] == 401
    assert entry["error"].startswith(f"The token {token['id']} (deploy) expired at 20")
    assert token["token"] not in str(entry)


def test_an_upload_that_began_before_the_token_expired_is_accepted(index: Index) -> None:
    token, form = index.token(), encode(fields(wheel()))
    headers = {
        "Authorization": basic("__token__", token["token"]),
        "Content-Type": form.content_type,
        "Content-Length": str(len(form.body)),
        "Expect": "100-continue",
    }
    with connect(index.server.url) as connection:
        connection.send(request(f"POST {index.path}/ HTTP/1.1", headers))
        # The server asks for the body after it has checked the token.
        assert connection.read_response().status == 100
        change(index, token, expires_in=0)
        connection.send(form.body)
        assert connection.read_response().status == 200
    assert len(index.files()) == 1
    second = encode(fields(wheel(version="2.0")))
    assert index.send(second, auth=("__token__", token["token"])).status_code == 401


def test_a_download_that_began_before_the_token_expired_is_completed(index: Index) -> None:
    # More than the buffers of the connection hold.
    archive = wheel(padding=16 << 20)
    index.publish(archive)
    token = index.token()
    url = f"{index.url}/demo/{archive.filename}"
    login = ("__token__", token["token"])
    with requests.get(url, auth=login, stream=True, timeout=20) as response:
        assert response.status_code == 200
        change(index, token, expires_in=0)
        assert sum(map(len, response.iter_content(1 << 20))) == len(archive.data)
    assert get(index, token, f"/demo/{archive.filename}").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"expires_in": 1e12},
        {"expires_in": -1e12},
        {"expires_in": "60"},
        {"name": "x" * 101},
        {"name": "two\nlines"},
    ],
)
def test_an_invalid_lifetime_or_name_is_rejected(index: Index, body: dict[str, object]) -> None:
    token = index.token()
    created = index.server.api("POST", "/tokens", {"repository": index.name, **body})
    changed = index.server.api("PATCH", f"/tokens/{token['id']}", body)
    assert [created.status_code, changed.status_code] == [400, 400]
    for response in (created, changed):
        assert next(iter(body)) in response.json()["error"]


@pytest.mark.parametrize("token_id", ["nothing", "0" * 16, "..%2Fusers", "é"])
def test_changing_an_unknown_token_is_not_found(server: Server, token_id: str) -> None:
    assert server.api("PATCH", f"/tokens/{token_id}", {"name": "x"}).status_code == 404


def test_a_token_has_a_name_and_the_time_of_its_last_use(index: Index) -> None:
    token = index.token(name="deploy")
    assert (token["name"], token["last_used"]) == ("deploy", None)
    assert get(index, token).status_code == 200
    wait_until(lambda: listed(index, token)["last_used"] is not None, "the use to be recorded")
    used = datetime.fromisoformat(listed(index, token)["last_used"]).timestamp()
    assert 0 <= time() - used < 3600
    renamed = change(index, token, name="release")
    assert renamed["name"] == listed(index, token)["name"] == "release"
    assert renamed["last_used"] is not None


def test_rejected_requests_are_no_uses(index: Index) -> None:
    token, other = index.token(expires_in=-1), index.token()
    assert get(index, token).status_code == 401
    assert get(index, other).status_code == 200
    wait_until(lambda: listed(index, other)["last_used"] is not None, "the use to be recorded")
    assert listed(index, token)["last_used"] is None


def test_many_uses_of_a_token_write_its_document_once() -> None:
    async def run() -> None:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        repository = await organization.create_repository("demo")
        document, token = await organization.tokens.create(repository.document)
        for _ in range(100):
            await organization.access.identify("__token__", token)
        await organization.tokens.uses.close()
        stored = await storage.read(document.key, TokenDocument)
        assert stored is not None
        for _ in range(100):
            await organization.access.identify("__token__", token)
        await organization.tokens.uses.close()
        again = await storage.read(document.key, TokenDocument)
        assert again is not None
        assert stored.last_used is not None
        assert again.revision == stored.revision
        await organization.close()

    asyncio.run(run())


def test_a_use_does_not_restore_a_revoked_token() -> None:
    async def run() -> None:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        repository = await organization.create_repository("demo")
        document, token = await organization.tokens.create(repository.document)
        await organization.access.identify("__token__", token)
        # The use is written later, in the background.
        await organization.tokens.revoke(document)
        await organization.tokens.uses.close()
        assert await organization.tokens.all() == []
        await organization.close()

    asyncio.run(run())
