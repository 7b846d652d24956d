"""Publishing: what happens to the blobs of an upload that fails."""

from __future__ import annotations

import asyncio
import threading
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
from cloudrepo_server.specs import archives
from cloudrepo_server.specs.core_metadata import read_identity
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import Archive, core_metadata, sdist, wheel

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


async def do_nothing(_: Organization) -> None:
    """No other request arrives between the commit and the loss."""


async def delete_the_file(organization: Organization) -> None:
    repository = await organization.repository("demo")
    await repository.delete(wheel().filename)


async def replace_the_file(organization: Organization) -> None:
    await publish(organization, THIRD)


FIRST, SECOND, THIRD = wheel(), wheel(module="x = 2\n"), wheel(module="x = 3\n")
OTHER = wheel(version="2.0")


@pytest.mark.parametrize(
    ("existing", "meanwhile", "remaining"),
    [
        ([FIRST], do_nothing, [FIRST]),
        ([], do_nothing, []),
        # What another request did after the commit stays.
        ([FIRST], delete_the_file, []),
        ([], delete_the_file, []),
        ([OTHER, FIRST], do_nothing, [OTHER, FIRST]),
        ([OTHER], delete_the_file, [OTHER]),
        ([FIRST], replace_the_file, [THIRD]),
    ],
)
def test_an_upload_whose_blobs_were_deleted_is_rolled_back(
    monkeypatch: pytest.MonkeyPatch,
    existing: list[Archive],
    meanwhile: Callable[[Organization], Awaitable[None]],
    remaining: list[Archive],
) -> None:
    async def scenario() -> None:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        repository = await organization.create_repository("demo")
        for archive in existing:
            await publish(organization, archive)
        checks = 0

        with monkeypatch.context() as patch:

            async def lose_after_commit(_: object) -> None:
                # Two blobs are checked before the commit, and the same two after it.
                nonlocal checks
                checks += 1
                if checks > 2:
                    patch.undo()
                    await meanwhile(organization)
                    raise StagedFileLostError("the content was deleted")

            name = "cloudrepo_server.domain.staged_file.StagedFile.require_present"
            patch.setattr(name, lose_after_commit)
            with pytest.raises(StagedFileLostError):
                await publish(organization, SECOND)
        project = await repository.project("demo")
        files = [] if project is None else [*project.files.values()]
        assert [file.sha256 for file in files] == [archive.sha256 for archive in remaining]
        for file, archive in zip(files, remaining, strict=True):
            assert await repository.content(file).read() == archive.data
        await organization.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("archive", "in_event_loop"),
    [
        (wheel(), True),
        (wheel(padding=128 << 10), False),
        (wheel(metadata=core_metadata("demo", "1.0") + bytes(128 << 10)), False),
        (sdist(), False),
        (sdist(ending=".zip"), False),
    ],
    ids=["tiny-wheel", "wheel", "wheel-that-unpacks-to-more", "tar", "zip"],
)
def test_only_tiny_wheels_are_read_in_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, archive: Archive, *, in_event_loop: bool
) -> None:
    readers: list[threading.Thread] = []

    def read_and_record_thread(metadata: bytes) -> dict[str, str]:
        readers.append(threading.current_thread())
        return read_identity(metadata)

    monkeypatch.setattr(archives, "read_identity", read_and_record_thread)

    async def scenario() -> None:
        organization = Organization(
            "example", LocalStorage.in_memory(), admin_username="a", admin_password="b"
        )
        await organization.create_repository("demo")
        await publish(organization, archive)
        await organization.close()

    asyncio.run(scenario())
    assert [each is threading.current_thread() for each in readers] == [in_event_loop]
