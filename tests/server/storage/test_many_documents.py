"""Stores with more documents than fit into the cache."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import msgspec
import pytest

from cloudrepo_server.keys import project_key, projects_of
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.storage.local import LocalStorage

REPOSITORY = "0123456789abcdef"
PREFIX = projects_of(REPOSITORY)
FILES = 10
PROJECTS = 1200


def document(number: int, *, files: int = FILES) -> ProjectDocument:
    name = f"project{number}"
    listed = [
        File(
            filename=f"{name}-1.{minor}-py3-none-any.whl",
            version=f"1.{minor}",
            size=1000,
            sha256=secrets.token_hex(32),
            metadata_sha256=secrets.token_hex(32),
            upload_time="2026-11-27T21:00:00.000000Z",
            uploader="user@example.com",
            blob=f"blobs/{REPOSITORY}/{secrets.token_hex(16)}",
            metadata_blob=f"blobs/{REPOSITORY}/{secrets.token_hex(16)}",
        )
        for minor in range(files)
    ]
    return ProjectDocument(name=name, files={each.filename: each for each in listed})


async def write(storage: LocalStorage, written: ProjectDocument) -> None:
    key = project_key(REPOSITORY, written.name)
    await storage.change(key, ProjectDocument, lambda _: written)


async def read_files(storage: LocalStorage, name: str) -> dict[str, File] | None:
    found = await storage.read(project_key(REPOSITORY, name), ProjectDocument)
    return None if found is None else dict(found.files)


async def stored_bytes(storage: LocalStorage) -> int:
    return sum([each.size async for batch in storage.list_objects(PREFIX) for each in batch])


def test_compressed_documents_can_be_read_changed_and_deleted_and_take_less_memory() -> None:
    async def check() -> None:
        storage = LocalStorage.in_temporary_folder()
        try:
            documents = [document(number) for number in range(PROJECTS)]
            for each in documents:
                await write(storage, each)
            size = sum(len(msgspec.json.encode(each)) for each in documents)
            assert await stored_bytes(storage) < size * 0.7
            for each in documents:
                assert await read_files(storage, each.name) == each.files
            # The cache has dropped every document at least once.
            assert await stored_bytes(storage) < size / 2

            oldest, key = documents[0], project_key(REPOSITORY, documents[0].name)
            for changed in (document(0), document(0, files=FILES + 1), document(0, files=1)):
                await write(storage, changed)
                assert await read_files(storage, oldest.name) == changed.files
            await storage.change(key, ProjectDocument, lambda _: None)
            assert await read_files(storage, oldest.name) is None
            names = {f"p-{each.name}.json" for each in documents[1:]}
            assert set((await storage.listing(PREFIX)).names) == names
            found = await storage.read_all(PREFIX, ProjectDocument)
            assert {each.name: each.files for each in found} == {
                each.name: each.files for each in documents[1:]
            }
        finally:
            await storage.close()

    asyncio.run(check())


@pytest.mark.parametrize("files", [200, 2000, 6000])
def test_large_documents_in_memory_can_be_read(files: int) -> None:
    async def check() -> None:
        storage = LocalStorage.in_memory()
        documents = [document(number, files=files) for number in range(12000 // files)]
        for each in documents:
            await write(storage, each)
        for each in documents:
            assert await read_files(storage, each.name) == each.files

    asyncio.run(check())


def test_documents_in_a_folder_are_not_compressed(tmp_path: Path) -> None:
    async def fill() -> None:
        storage = LocalStorage.in_folder(tmp_path)
        for number in range(PROJECTS):
            await write(storage, document(number))
        await storage.close()

    asyncio.run(fill())
    stored = list((tmp_path / "store" / PREFIX).glob("*.json"))
    assert len(stored) == PROJECTS
    for path in stored:
        assert msgspec.json.decode(path.read_bytes(), type=ProjectDocument).files
