"""Claims of file names: an upload that lost its claim to another project is rolled back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.garbage import collect_garbage
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import FileExistsInRepositoryError
from cloudrepo_server.models import Document, ProjectDocument
from cloudrepo_server.storage.local import LocalStorage

D = TypeVar("D", bound=Document)
FILENAME = "notes.txt"


class InterleavedStorage(LocalStorage):
    """A store that runs a function of the test just before the next change of a project."""

    before: Callable[[], Awaitable[None]] | None = None

    async def change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        *,
        prepare: Callable[[D | None], Awaitable[None]] | None = None,
    ) -> None:
        if self.before is not None and issubclass(type_, ProjectDocument):
            before, self.before = self.before, None
            await before()
        await super().change(key, type_, change, prepare=prepare)


async def publish(repository: Repository, project: str, content: bytes = b"x") -> None:
    staged = repository.stage(FILENAME, digests={})
    await staged.write(content)
    await repository.publish(staged, DeclaredMetadata(name=project), uploader="somebody")


async def projects(repository: Repository) -> list[str]:
    return [
        name
        for name in await repository.project_names()
        if FILENAME in (await repository.project(name) or ProjectDocument(name=name)).files
    ]


async def claims(storage: LocalStorage) -> int:
    return sum([len(batch) async for batch in storage.list_objects("claims/")])


def run(scenario: Callable[[InterleavedStorage, Repository], Awaitable[None]]) -> None:
    async def run_scenario() -> None:
        storage = InterleavedStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        repository = await organization.create_repository("demo", dialect="cloudrepo")
        await scenario(storage, repository)
        await organization.close()

    asyncio.run(run_scenario())


def test_an_upload_that_lost_its_claim_is_undone() -> None:
    async def scenario(storage: InterleavedStorage, repository: Repository) -> None:
        storage.before = lambda: publish(repository, "second")
        with pytest.raises(FileExistsInRepositoryError, match="a file of the project second"):
            await publish(repository, "first")
        assert await projects(repository) == ["second"]

    run(scenario)


def test_an_upload_whose_claim_was_swept_keeps_its_name() -> None:
    async def scenario(storage: InterleavedStorage, repository: Repository) -> None:
        async def sweep() -> None:
            await collect_garbage(storage)
            assert await claims(storage) == 0

        storage.before = sweep
        await publish(repository, "first")
        with pytest.raises(FileExistsInRepositoryError, match="a file of the project first"):
            await publish(repository, "second")
        assert await projects(repository) == ["first"]

    run(scenario)


def test_only_stale_claims_are_swept() -> None:
    async def scenario(storage: InterleavedStorage, repository: Repository) -> None:
        await publish(repository, "first")
        await collect_garbage(storage)
        assert await claims(storage) == 1
        await repository.delete(FILENAME)
        assert await claims(storage) == 1
        await collect_garbage(storage)
        assert await claims(storage) == 0

    run(scenario)
