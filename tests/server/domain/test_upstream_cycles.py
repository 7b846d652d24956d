"""Cycles of upstreams, which arise when two settings are changed at the same time."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.upstream import Upstreams
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.keys import repository_key
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import wheel

NAMES = ("one", "two", "three")


async def create_cycle(storage: LocalStorage, organization: Organization, strategy: str) -> None:
    """Create repositories whose upstreams are each other, in a cycle."""
    for name in NAMES:
        await organization.create_repository(name, upstream_strategy=strategy)
    for name, upstream in zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True):

        def change(
            existing: RepositoryDocument | None, upstream: str = upstream
        ) -> RepositoryDocument:
            assert existing is not None
            return msgspec.structs.replace(existing, upstream=(upstream,))

        # The organization checks a setting before it is stored, but not a second one meanwhile.
        await storage.change(repository_key(name), RepositoryDocument, change)


def test_an_upstream_that_is_part_of_a_cycle_is_accepted() -> None:
    async def scenario() -> None:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        await create_cycle(storage, organization, "first-match")
        found: list[str] = []

        async def find(name: str) -> Repository | None:
            found.append(name)
            assert len(found) <= len(NAMES), "the check visits a repository twice"
            return await organization.find(name)

        four = (await organization.create_repository("four")).document
        await Upstreams(find).check(msgspec.structs.replace(four, upstream=("two", "three")))
        assert sorted(found) == sorted(NAMES)
        await organization.update_repository("four", upstream=("two", "three"))
        # A setting that would make a cycle of its own is still rejected.
        with pytest.raises(InvalidError, match="upstream four leads back to one: leave it out"):
            await organization.update_repository("one", upstream=("four",))
        await organization.close()

    asyncio.run(scenario())


def test_an_error_about_an_index_that_cannot_be_reached_contains_no_password() -> None:
    async def scenario() -> None:
        organization = Organization(
            "example", LocalStorage.in_memory(), admin_username="a", admin_password="b"
        )
        url = "https://ann:secret@index.example/simple/"
        repository = await organization.create_repository("one", upstream=(url,))
        with pytest.raises(InvalidError, match=r"https://\*\*\*@index\.example") as raised:
            await organization.upstreams.project(repository, "demo", local=None)
        assert "secret" not in str(raised.value)
        await organization.close()

    asyncio.run(scenario())


async def publish(organization: Organization, repository: str, project: str) -> None:
    target = await organization.repository(repository)
    archive = wheel(project)
    staged = target.stage(archive.filename, digests={})
    await staged.write(archive.data)
    await target.publish(staged, DeclaredMetadata(), uploader="ann@example.com")


@pytest.mark.parametrize("strategy", ["first-match", "best-version"])
def test_a_cycle_of_upstreams_ends_after_one_round(strategy: str) -> None:
    async def scenario() -> None:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        await create_cycle(storage, organization, strategy)
        await publish(organization, "three", "last")
        for name in NAMES:
            repository = await organization.repository(name)
            upstreams = organization.upstreams
            found = await upstreams.project(
                repository, "last", local=await repository.project("last")
            )
            assert found is not None
            assert [*found.files] == [wheel("last").filename]
            assert await upstreams.project(repository, "missing", local=None) is None
            assert await upstreams.project_names(repository) == ["last"]
            assert len((await upstreams.listing_revision(repository)).split()) == len(NAMES)
        await organization.close()

    asyncio.run(scenario())
