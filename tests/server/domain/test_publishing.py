"""Publishing: what happens to the blobs of an upload that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import (
    CloudRepoServerError,
    FileExistsInRepositoryError,
    InvalidError,
    StagedFileLostError,
    StorageError,
    UncertainError,
)
from cloudrepo_server.models import Document, ProjectDocument
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import Archive, wheel

D = TypeVar("D", bound=Document)


class FailingStorage(LocalStorage):
    """A store that fails when a project's document changes, if `error` is set."""

    error: CloudRepoServerError | None = None

    async def change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        *,
        prepare: Callable[[D | None], Awaitable[None]] | None = None,
    ) -> None:
        if self.error is not None and issubclass(type_, ProjectDocument):
            raise self.error
        await super().change(key, type_, change, prepare=prepare)


async def publish(
    organization: Organization, archive: Archive, declared: DeclaredMetadata | None = None
) -> None:
    repository = await organization.repository("demo")
    staged = repository.stage(archive.filename, digests={})
    await staged.write(archive.data)
    await repository.publish(staged, declared or DeclaredMetadata(), uploader="ann@example.com")


async def count_blobs(storage: LocalStorage) -> int:
    return sum([len(batch) async for batch in storage.list_objects("blobs/")])


def count_blobs_after(
    archives: list[Archive],
    *,
    raises: type[CloudRepoServerError],
    error: CloudRepoServerError | None = None,
    declared: DeclaredMetadata | None = None,
    protected: bool = True,
) -> int:
    """Publish files, the last of which fails; return the number of blobs that are left."""

    async def scenario() -> int:
        storage = FailingStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        await organization.create_repository("demo", overwrite_protection=protected)
        *published, failing = archives
        for archive in published:
            await publish(organization, archive)
        storage.error = error
        with pytest.raises(raises):
            await publish(organization, failing, declared)
        storage.error = None
        blobs = await count_blobs(storage)
        await organization.close()
        return blobs

    return asyncio.run(scenario())


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_a_rejected_upload_leaves_no_blobs(padding: int) -> None:
    first, second = wheel(padding=padding), wheel(module="x = 2\n", padding=padding)
    assert count_blobs_after([first, second], raises=FileExistsInRepositoryError) == 2


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_an_upload_with_a_wrong_digest_leaves_no_blobs(padding: int) -> None:
    declared = DeclaredMetadata(digests={"sha256_digest": "0" * 64})
    assert count_blobs_after([wheel(padding=padding)], raises=InvalidError, declared=declared) == 0


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_an_upload_that_the_store_rejects_leaves_no_blobs(padding: int) -> None:
    error = StorageError("the store failed")
    assert count_blobs_after([wheel(padding=padding)], raises=StorageError, error=error) == 0


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_an_upload_with_an_unknown_outcome_keeps_its_blobs(padding: int) -> None:
    error = UncertainError("the store did not respond")
    assert count_blobs_after([wheel(padding=padding)], raises=UncertainError, error=error) == 2


def test_the_previous_file_is_restored_if_the_blobs_of_its_replacement_were_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        await organization.create_repository("demo")
        first, second = wheel(), wheel(module="x = 2\n")
        await publish(organization, first)
        calls = 0

        async def lose_after_commit(_: object) -> None:
            # Two blobs are checked before the commit, and the same two after it.
            nonlocal calls
            calls += 1
            if calls > 2:
                raise StagedFileLostError("the content was deleted")

        with monkeypatch.context() as patch:
            name = "cloudrepo_server.domain.staged_file.StagedFile.require_present"
            patch.setattr(name, lose_after_commit)
            with pytest.raises(StagedFileLostError):
                await publish(organization, second)
        repository = await organization.repository("demo")
        project = await repository.project("demo")
        assert project is not None
        file = project.files[first.filename]
        assert file.sha256 == first.sha256
        assert await repository.content(file).read() == first.data
        await organization.close()

    asyncio.run(scenario())
