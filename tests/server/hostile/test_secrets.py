"""Passphrases and tokens appear in no file, log, page, error or journal."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import JSON, Index, Server
from tests.support.raw import basic, connect, exchange, request
from tests.support.server_fixtures import StartServer

CHOSEN = "a-chosen:päss/phrase%40"


def spellings(secret: str) -> set[bytes]:
    """Return the encodings in which a secret could appear."""
    raw = secret.encode()
    return {
        raw,
        secret.encode("latin-1", errors="ignore"),
        quote(secret, safe="").encode(),
        base64.b64encode(raw),
        json.dumps(secret)[1:-1].encode(),
        repr(raw)[2:-1].encode(),
    }


def assert_absent(secrets: list[str], place: str, data: bytes) -> None:
    for secret in secrets:
        for spelling in spellings(secret):
            assert spelling not in data, f"a secret appears in {place}"


@pytest.fixture
def used_server(start_server: StartServer, tmp_path: Path) -> tuple[Server, list[str], list[bytes]]:
    """A server after many requests, the secrets that were used, and all responses."""
    server = Server(start_server("--data", tmp_path / "data"))
    index = server.repository(overwrite_protection=True)
    chosen = server.user(passphrase=CHOSEN)
    changed = server.user()
    server.api_json("PATCH", f"/users/{quote(changed[0])}", {"passphrase": CHOSEN + "-2"})
    reader = server.user(read_only=True)
    created = [index.token(read_only=read_only) for read_only in (True, False)]
    tokens = [token["token"] for token in created]
    logins = [index.auth, chosen, (changed[0], CHOSEN + "-2"), reader, *(("t", t) for t in tokens)]
    responses = []
    for auth in logins:
        for below in ("/", "/demo/", "/nothing/", "/demo/x.whl"):
            responses.append(index.request("GET", below, auth=auth))
            responses.append(index.request("GET", below, auth=auth, headers={"Accept": JSON}))
        responses += [
            index.send(encode(fields(wheel())), auth=auth),
            index.send(encode(fields(wheel(), sha256_digest="0")), auth=auth),
            index.request("PUT", "/", auth=auth),
            server.request("GET", "/api/users", auth=auth),
            index.request("GET", "/", auth=(auth[0] + "x", auth[1])),
            index.request("GET", "/", auth=(auth[0], auth[1] + "x")),
            index.request("GET", "/", auth=(quote(auth[0]), auth[1])),
        ]
    for path in ("/repositories", "/users", "/tokens", f"/repositories/{index.name}/requests"):
        responses.append(server.api("GET", path))
    responses += [
        server.api("POST", "/users", {"email": "bad", "passphrase": CHOSEN}),
        server.api("POST", "/users", {"email": chosen[0], "passphrase": CHOSEN}),
        server.api("POST", "/users", {"email": "x@example.com", "passphrase": [CHOSEN]}),
        server.api("POST", "/users", {"email": "x@example.com", "pass": CHOSEN}),
        server.api("GET", "/nothing"),
    ]
    secrets = [index.password, CHOSEN, changed[1], reader[1], *tokens, server.admin[1]]
    texts = [
        f"{response.reason}\n{response.headers}\n".encode(errors="replace") + response.content
        for response in responses
    ]
    server.close()
    return server, secrets, texts


def test_no_secret_appears_in_responses_logs_or_stored_files(
    used_server: tuple[Server, list[str], list[bytes]], tmp_path: Path
) -> None:
    server, secrets, texts = used_server
    for response in texts:
        assert_absent(secrets, "a response", response)
    assert_absent(secrets, "the log", server.process.log.encode())
    server.process.stop()
    stored_files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert stored_files
    for path in stored_files:
        assert_absent(secrets, path.name, path.read_bytes())
    assert_absent(secrets, "the log", server.process.log.encode())
    # Only the state file contains a secret: the admin password.
    state = server.process.state_file.read_bytes()
    assert server.admin[1].encode() in state
    assert_absent(secrets[:-1], "the state file", state)


def test_malformed_credentials_are_not_logged(index: Index) -> None:
    secret = base64.b64encode(b"somebody@example.com:the-secret").decode()
    for value in (f"Basic {secret}\x01", f"Basic {secret * 999}", f"Basic\x00{secret}"):
        with connect(index.url) as connection:
            headers = {"Authorization": value}
            connection.send(request(f"GET {index.path}/ HTTP/1.1", headers))
            assert connection.read_response().status in (400, 401)
    assert secret not in index.server.process.log


def test_credentials_in_the_request_line_are_not_recorded(index: Index) -> None:
    url = index.index_url.replace("%40", "@") + "/"
    response = exchange(index.url, request(f"GET {url} HTTP/1.1", index.authorization))
    assert response.status == 200
    assert index.password not in index.server.process.log
    assert index.password not in json.dumps(index.journal())
    assert index.password.encode() not in response.body


def test_the_query_of_a_url_is_not_recorded(index: Index) -> None:
    index.get("/nothing/?token=the-secret")
    assert "the-secret" not in index.server.process.log
    assert "the-secret" not in json.dumps(index.journal())


def test_links_contain_no_credentials(index: Index) -> None:
    index.publish(wheel())
    for accept in (JSON, "text/html"):
        page = index.get("/demo/", Accept=accept).text
        assert "@" not in page
        assert index.password not in page


def test_a_passphrase_is_stored_as_a_salted_slow_hash(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = Server(start_server("--data", tmp_path / "data"))
    for name in ("one", "two"):
        server.user(email=f"{name}@example.com", passphrase="the-same-passphrase")
    server.close()
    stored = [
        json.loads(path.read_text())["passphrase"]
        for path in (tmp_path / "data").rglob("users/*.json")
    ]
    assert len(set(stored)) == 2
    assert all(text.startswith("scrypt$") for text in stored)


def test_unknown_users_and_wrong_passphrases_get_the_same_response(index: Index) -> None:
    unknown = exchange(index.url, failed_login(index, "nobody@example.com"))
    known = exchange(index.url, failed_login(index, index.username))
    assert (unknown.status, unknown.reason, unknown.body) == (
        known.status,
        known.reason,
        known.body,
    )


def failed_login(index: Index, username: str) -> bytes:
    headers = {"Authorization": basic(username, "wrong-passphrase")}
    return request(f"GET {index.path}/ HTTP/1.1", headers)


@pytest.mark.parametrize("kind", ["admin", "user", "chosen", "token"])
def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    compared: list[bool] = []

    def compare(one: bytes | str, other: bytes | str) -> bool:
        compared.append(one == other)
        return compared[-1]

    async def scenario() -> None:
        organization = Organization(
            "example", LocalStorage.in_memory(), admin_username="a@b.c", admin_password="secret"
        )
        await organization.users.create("user@b.c")
        await organization.users.create("chosen@b.c", passphrase="chosen by a person")
        repository = await organization.create_repository("demo")
        _, token = await organization.tokens.create(repository.document)
        name = {"admin": "a@b.c", "token": "any"}.get(kind, f"{kind}@b.c")
        monkeypatch.setattr("hmac.compare_digest", compare)
        wrong = token[:-1] + "!" if kind == "token" else "wrong"
        with pytest.raises(UnauthenticatedError):
            await organization.access.identify(name, wrong)
        # compare_digest created the last comparison, and it failed.
        assert compared[-1] is False
        await organization.close()

    asyncio.run(scenario())
    assert compared
