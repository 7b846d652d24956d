"""What trusted publishing stores: the issuer's key, used identity tokens, and minted tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import time

import jwt
import msgspec
import pytest

from cloudrepo_server.domain.garbage import collect_garbage
from cloudrepo_server.domain.identity_issuer import IdentityIssuer, IssuerKeyDocument, Job
from cloudrepo_server.domain.identity_tokens import issue_token
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import InvalidError, TokenRequestError
from cloudrepo_server.keys import ISSUER_KEY, TOKENS, used_identities_of
from cloudrepo_server.models import TokenDocument, UsedIdentityDocument
from cloudrepo_server.storage.local import LocalStorage
from tests.support.index import Index, Server
from tests.support.server_fixtures import StartServer
from tests.support.trust import JOB, identity_token, minted, trust

ISSUER = "https://token.actions.githubusercontent.com"


def organization_of(storage: LocalStorage) -> Organization:
    return Organization("example", storage, admin_username="admin", admin_password="secret")


async def token_of(organization: Organization, **claims: object) -> str:
    job = Job(repository="demo", repository_id="x", provider="github", fields=JOB, claims=claims)
    return await issue_token(organization.issuer, job, audience="pypi")


async def mint(organization: Organization, token: str) -> str:
    repository = await organization.repository("demo")
    identity = await organization.mint.identify(token, audience="pypi")
    return (await organization.mint.mint(repository, identity)).token


async def stored(storage: LocalStorage, prefix: str) -> AsyncIterator[str]:
    async for batch in storage.list_objects(prefix):
        for each in batch:
            yield each.key


def test_servers_of_one_store_accept_the_tokens_of_each_other() -> None:
    async def run() -> None:
        storage = LocalStorage.in_memory()
        servers = [organization_of(storage) for _ in range(5)]
        repository = await servers[0].create_repository("demo")
        await servers[0].publishers.add(repository, "github", JOB)
        # All of them need the key at the same time; one of them creates it.
        tokens = await asyncio.gather(*(token_of(each) for each in servers))
        for server in servers:
            for token in tokens:
                assert (await server.mint.identify(token, audience="pypi")).claims["iss"] == ISSUER
        exchanges = await asyncio.gather(
            *(mint(each, tokens[0]) for each in servers), return_exceptions=True
        )
        assert sum(isinstance(each, str) for each in exchanges) == 1
        codes = [each.code for each in exchanges if isinstance(each, TokenRequestError)]
        assert codes == ["invalid-reuse-token"] * 4

    asyncio.run(run())


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_the_key_is_valid_with_one_algorithm_only(algorithm: str) -> None:
    async def run() -> None:
        organization = organization_of(LocalStorage.in_memory())
        claims = jwt.decode(await token_of(organization), options={"verify_signature": False})
        key = await organization.issuer._load()  # noqa: SLF001 (nothing else returns the private key)
        token = jwt.encode(claims, key.private, algorithm=algorithm, headers={"kid": key.id})
        with pytest.raises(TokenRequestError, match="was not signed by the identity provider"):
            await organization.mint.identify(token, audience="pypi")

    asyncio.run(run())


def test_the_stored_key_is_useless_without_the_admin_login() -> None:
    async def run() -> None:
        storage = LocalStorage.in_memory()
        await organization_of(storage).issuer.load()
        document = await storage.read(ISSUER_KEY, IssuerKeyDocument)
        assert document is not None
        assert "ENCRYPTED PRIVATE KEY" in document.pem

    asyncio.run(run())


@pytest.mark.parametrize(
    "damage",
    [
        {"salt": "other"},
        {"pem": ""},
        {"pem": "nonsense"},
        {"pem": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"},
        None,
    ],
)
def test_a_damaged_key_is_replaced(damage: dict[str, str] | None) -> None:
    async def run() -> None:
        storage = LocalStorage.in_memory()
        await organization_of(storage).issuer.load()

        def change(existing: IssuerKeyDocument | None) -> IssuerKeyDocument | None:
            if existing is None or damage is None:
                return None
            return msgspec.structs.replace(existing, **damage)

        await storage.change(ISSUER_KEY, IssuerKeyDocument, change)
        organization = organization_of(storage)
        token = await token_of(organization)
        assert await organization.mint.identify(token, audience="pypi")
        assert await organization_of(storage).mint.identify(token, audience="pypi")

    asyncio.run(run())


def test_expired_tokens_and_used_identities_are_garbage() -> None:
    async def run() -> None:
        storage = LocalStorage.in_memory()
        organization = organization_of(storage)
        repository = await organization.create_repository("demo")
        await organization.publishers.add(repository, "github", JOB)
        kept = await mint(organization, await token_of(organization, jti="kept"))
        folder = used_identities_of(repository.document.id)
        expired = UsedIdentityDocument(expires=time() - 1)
        orphaned = used_identities_of("0" * 16)
        for key in (f"{folder}expired.json", f"{orphaned}orphaned.json"):
            await storage.change(key, UsedIdentityDocument, lambda _: expired)
        await organization.tokens.create(repository.document, publisher="x", expires=time() - 1)
        report = await collect_garbage(storage)
        assert report.tokens == 1
        assert [key async for key in stored(storage, TOKENS)] == [
            f"{TOKENS}{kept.split('.')[1]}.json"
        ]
        assert len([key async for key in stored(storage, folder)]) == 1
        assert [key async for key in stored(storage, orphaned)] == []

    asyncio.run(run())


def test_an_exchange_deletes_identities_that_have_expired() -> None:
    async def run() -> None:
        storage = LocalStorage.in_memory()
        organization = organization_of(storage)
        repository = await organization.create_repository("demo")
        await organization.publishers.add(repository, "github", JOB)
        folder = used_identities_of(repository.document.id)
        expired = UsedIdentityDocument(expires=time() - 1)
        await storage.change(f"{folder}expired.json", UsedIdentityDocument, lambda _: expired)
        await mint(organization, await token_of(organization))
        keys = [key async for key in stored(storage, folder)]
        assert len(keys) == 1
        assert f"{folder}expired.json" not in keys

    asyncio.run(run())


def test_nothing_remains_of_a_deleted_repository() -> None:
    async def run() -> None:
        storage = LocalStorage.in_memory()
        organization = organization_of(storage)
        repository = await organization.create_repository("demo")
        await organization.publishers.add(repository, "github", JOB)
        await mint(organization, await token_of(organization))
        await organization.delete_repository("demo")
        await storage.delete_repository_objects(repository.document.id)
        folder = used_identities_of(repository.document.id)
        assert [key async for key in stored(storage, folder)] == []
        assert await storage.read_all(TOKENS, TokenDocument) == []

    asyncio.run(run())


def test_tokens_and_identities_are_stored_as_hashes(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = Server(start_server("--data", tmp_path / "data"))
    index: Index = server.repository()
    trust(index)
    identity = identity_token(index, claims={"jti": "chosen-identifier"})
    secret = minted(index, identity).rpartition(".")[2]
    server.close()
    assert server.process.stop() == 0
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert len(files) > 3
    for path in files:
        content = path.read_bytes()
        for text in (secret, identity, identity.rpartition(".")[2], "chosen-identifier"):
            assert text.encode() not in content, path
    for text in (secret, identity):
        assert text not in server.process.log


def test_without_the_extra_trusted_publishing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(IdentityIssuer, "is_installed", staticmethod(lambda: False))

    async def run() -> None:
        organization = organization_of(LocalStorage.in_memory())
        repository = await organization.create_repository("demo")
        assert not organization.mint.is_enabled(repository.document)
        with pytest.raises(InvalidError, match=r"install pytest-cloudrepo\[trust\]"):
            await organization.publishers.add(repository, "github", JOB)
        with pytest.raises(InvalidError, match=r"install pytest-cloudrepo\[trust\]"):
            await token_of(organization)
        with pytest.raises(TokenRequestError) as raised:
            await organization.mint.identify("x", audience="pypi")
        assert raised.value.code == "not-enabled"

    asyncio.run(run())
