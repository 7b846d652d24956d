"""The limit of the tokens that the jobs of a repository can mint."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import time

import pytest

from cloudrepo_server.domain.identity_issuer import Job
from cloudrepo_server.domain.identity_tokens import issue_token
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import TooManyTokensError
from cloudrepo_server.keys import used_identity_key
from cloudrepo_server.limits import MAX_MINTED_TOKENS
from cloudrepo_server.models import UsedIdentityDocument
from cloudrepo_server.storage.local import LocalStorage
from tests.support.index import Index, Server
from tests.support.server_fixtures import StartServer
from tests.support.trust import JOB, exchange, identity_token, minted, trust
from tests.support.wait import wait_until


def store_tokens(
    storage: LocalStorage, *, minted_for: str | None = "github:a/b/c.yml", valid_for: float = 3600
) -> Organization:
    """Store the repository `demo` with the maximum of tokens, and return its organization."""
    organization = Organization("x", storage, admin_username="x", admin_password="x")

    async def run() -> None:
        repository = await organization.create_repository("demo")
        await organization.publishers.add(repository, "github", JOB)
        for _ in range(MAX_MINTED_TOKENS):
            await organization.tokens.create(
                repository.document, publisher=minted_for, expires=time() + valid_for
            )

    asyncio.run(run())
    return organization


async def mint(organization: Organization) -> str:
    job = Job(repository="demo", repository_id="x", provider="github", fields=JOB)
    token = await issue_token(organization.issuer, job, audience="pypi")
    identity = await organization.mint.identify(token, audience="pypi")
    repository = await organization.repository("demo")
    return (await organization.mint.mint(repository, identity)).token


def test_the_number_of_minted_tokens_is_limited(start_server: StartServer, tmp_path: Path) -> None:
    storage = LocalStorage.in_folder(tmp_path / "data")
    store_tokens(storage)
    asyncio.run(storage.close())
    server = Server(start_server("--data", tmp_path / "data"))
    index = Index(server, "demo", *server.user())
    identity = identity_token(index)
    response = exchange(index, identity)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    assert response.reason.startswith("too-many-tokens: the repository demo has 1000 minted tokens")
    (error,) = response.json()["errors"]
    assert error["code"] == "too-many-tokens"
    # Other repositories are not affected.
    other = server.repository()
    trust(other)
    minted(other)
    # The rejected identity is not used up, and a revoked token makes room for another one.
    listed = server.api_json("GET", "/tokens")["tokens"]
    revoked = next(each["id"] for each in listed if each["repository"] == "demo")
    server.api_json("DELETE", f"/tokens/{revoked}")
    wait_until(lambda: exchange(index, identity).status_code == 200, "room for another token")
    assert exchange(index, identity_token(index)).status_code == 429


def test_concurrent_exchanges_do_not_exceed_the_limit() -> None:
    organization = store_tokens(LocalStorage.in_memory())

    async def run() -> None:
        for each in (await organization.tokens.all())[:3]:
            await organization.tokens.delete(each.id)
        results = await asyncio.gather(
            *(mint(organization) for _ in range(10)), return_exceptions=True
        )
        rejected = [each for each in results if not isinstance(each, str)]
        assert [type(each) for each in rejected] == [TooManyTokensError] * 7
        assert len(await organization.tokens.all()) == MAX_MINTED_TOKENS

    asyncio.run(run())


def test_the_number_of_used_identities_is_limited() -> None:
    storage = LocalStorage.in_memory()
    # Tokens that the admin created do not count.
    organization = store_tokens(storage, minted_for=None)

    async def run() -> None:
        assert await mint(organization)
        repository_id = (await organization.repository("demo")).document.id
        used = UsedIdentityDocument(expires=time() + 3600)
        for number in range(MAX_MINTED_TOKENS):
            key = used_identity_key(repository_id, "issuer", str(number))
            await storage.change(key, UsedIdentityDocument, lambda _: used)
        with pytest.raises(TooManyTokensError):
            await mint(organization)

    asyncio.run(run())


def test_expired_tokens_do_not_count() -> None:
    organization = store_tokens(LocalStorage.in_memory(), valid_for=-1)
    assert asyncio.run(mint(organization))
