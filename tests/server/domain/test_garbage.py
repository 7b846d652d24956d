"""Garbage collection: deletes what a killed server left, and nothing that is referenced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.garbage import GarbageReport, collect_garbage
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.storage import StoredObject
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.platforms import needs_posix
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until


@dataclass(frozen=True)
class DataFolder:
    """A data folder, and the repository of a server that used it."""

    data: Path
    start_server: StartServer
    index: Index
    id: str

    @contextmanager
    def restart(self) -> Iterator[Index]:
        """Start a server on the folder and yield its repository."""
        server = Server(self.start_server("--data", self.data))
        try:
            yield Index(server, self.index.name, self.index.username, self.index.password)
        finally:
            server.close()
            assert server.process.stop() == 0, server.process.log

    @property
    def store(self) -> Path:
        return self.data / "store"

    def add_garbage(self, *keys: str) -> list[Path]:
        """Create files that a killed server could leave."""
        garbage = [self.store / key for key in keys]
        for path in garbage:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"garbage")
        return garbage

    def files(self) -> set[Path]:
        return {path for path in self.store.rglob("*") if path.is_file()}


@pytest.fixture
def data_folder(tmp_path: Path, start_server: StartServer) -> DataFolder:
    data = tmp_path / "data"
    server = Server(start_server("--data", data))
    index = server.repository()
    index.publish(wheel(), wheel("big", padding=2 << 20))
    index.publish(wheel("other"))
    server.close()
    assert server.process.stop() == 0
    (document,) = (data / "store" / "repositories").iterdir()
    return DataFolder(data, start_server, index, json.loads(document.read_bytes())["id"])


def partial_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*#*"))


def wait_until_deleted(paths: list[Path]) -> None:
    wait_until(lambda: not any(path.exists() for path in paths), "garbage to be deleted")


def test_only_unreferenced_objects_are_deleted(data_folder: DataFolder) -> None:
    before = data_folder.files()
    garbage = data_folder.add_garbage(
        f"blobs/{data_folder.id}/" + "0" * 32,
        f"blobs/{data_folder.id}/" + "1" * 32 + "#1",
        f"projects/{data_folder.id}/p-demo.json#12",
        "repositories/@demo.json#1",
        "blobs/0123456789abcdef/" + "0" * 32,
        "projects/0123456789abcdef/p-demo.json",
    )
    with data_folder.restart() as index:
        wait_until_deleted(garbage)
        for archive in (wheel(), wheel("big", padding=2 << 20), wheel("other")):
            project = archive.filename.partition("-")[0]
            assert index.get(f"/{project}/{archive.filename}").content == archive.data
            assert index.get(f"/{project}/{archive.filename}.metadata").content == archive.metadata
        log = index.server.process.log
        assert (
            "Garbage collection deleted what a killed server left: "
            "blobs: 1, leftovers of deleted repositories: 1, " in log
        )
    assert data_folder.files() == before
    assert not (data_folder.store / "blobs" / "0123456789abcdef").exists()


@needs_posix("symbolic links without a privilege")
def test_files_behind_a_symbolic_link_are_kept(data_folder: DataFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("0" * 32, "p-photo.json"):
        (elsewhere / name).write_bytes(b"not the server's")
    store = data_folder.store
    for folder in ("blobs", "projects"):
        (store / folder / data_folder.id / "link").symlink_to(elsewhere)
        (store / folder / "0123456789abcdef").symlink_to(elsewhere)
    garbage = data_folder.add_garbage(
        f"blobs/{data_folder.id}/" + "0" * 32, "blobs/fedcba9876543210/" + "0" * 32
    )
    with data_folder.restart() as index:
        wait_until_deleted(garbage)
        wait_until(
            lambda: "Garbage collection deleted" in index.server.process.log,
            "the garbage collection to finish",
        )
    assert sorted(path.name for path in elsewhere.iterdir()) == ["0" * 32, "p-photo.json"]


def test_the_token_of_a_deleted_repository_is_deleted(data_folder: DataFolder) -> None:
    with data_folder.restart() as index:
        index.token()
        (token,) = (data_folder.store / "tokens").iterdir()
    document = json.loads(token.read_bytes())
    orphan = token.with_name("orphan.json")
    orphan.write_text(json.dumps({**document, "id": "orphan", "repository_id": "no-more"}))
    with data_folder.restart() as index:
        wait_until_deleted([orphan])
        assert [each["id"] for each in index.server.api_json("GET", "/tokens")["tokens"]] == [
            document["id"]
        ]


@pytest.mark.parametrize("damaged", ["projects/*/p-other.json", "repositories/*.json"])
def test_nothing_is_deleted_from_a_repository_with_an_unreadable_document(
    data_folder: DataFolder, damaged: str
) -> None:
    (document,) = data_folder.store.glob(damaged)
    whole = document.read_bytes()
    document.write_bytes(whole[:-1])
    before = data_folder.files()
    (garbage,) = data_folder.add_garbage(f"blobs/{data_folder.id}/" + "0" * 32)
    with data_folder.restart() as index:
        wait_until(
            lambda: "a document cannot be read" in index.server.process.log,
            "the log to name the skipped repository",
        )
    assert data_folder.files() == before | {garbage}
    document.write_bytes(whole)
    with data_folder.restart():
        wait_until_deleted([garbage])


async def publish(organization: Organization, name: str, archive_name: str) -> None:
    repository = await organization.repository(name)
    archive = wheel(archive_name, padding=2 << 20)
    staged = repository.stage(archive.filename, digests={})
    await staged.write(archive.data)
    await staged.finish()
    await repository.publish(staged, DeclaredMetadata(), uploader="ann@example.com")


def damage(folder: Path, pattern: str) -> None:
    """Truncate the only document whose path matches."""
    (document,) = folder.rglob(pattern)
    document.write_bytes(document.read_bytes()[:-1])


@pytest.mark.parametrize("damaged", ["projects/*/p-demo.json", "repositories/*.json"])
def test_the_report_of_a_garbage_collection_that_deleted_nothing_is_empty(
    tmp_path: Path, damaged: str
) -> None:
    async def scenario() -> None:
        storage = LocalStorage.in_folder(tmp_path)
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        repository = await organization.create_repository("demo")
        await publish(organization, "demo", "demo")
        await organization.close()
        damage(tmp_path, damaged)
        storage = LocalStorage.in_folder(tmp_path)

        report = await collect_garbage(storage)

        skipped = "demo" if damaged.startswith("projects") else repository.document.id
        assert report == GarbageReport(unreadable=(skipped,))
        assert str(report) == (
            "blobs: 0, leftovers of deleted repositories: 0, tokens: 0, sessions: 0, "
            "tombstones: 0, unfinished files: 0"
        )
        assert not report.any
        await storage.close()

    asyncio.run(scenario())


class InterruptedStorage(LocalStorage):
    """A store that runs the next step of a test before and after each batch of a listing."""

    def interrupt_with(self, steps: AsyncIterator[None]) -> Self:
        self.steps = steps
        return self

    async def list_objects(self, prefix: str) -> AsyncIterator[list[StoredObject]]:
        await anext(self.steps, None)
        async for batch in super().list_objects(prefix):
            await anext(self.steps, None)
            yield batch
        await anext(self.steps, None)


@pytest.mark.parametrize("steps", range(9))
def test_files_that_are_published_meanwhile_are_kept(tmp_path: Path, steps: int) -> None:
    """An upload starts and becomes visible at every possible moment of a garbage collection."""

    async def scenario() -> None:
        storage = InterruptedStorage.in_folder(tmp_path)
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        await organization.create_repository("old")
        old = await organization.repository("old")

        async def uploads() -> AsyncIterator[None]:
            for _ in range(steps):
                yield
            archive = wheel("slow", padding=2 << 20)
            slow_upload = old.stage(archive.filename, digests={})
            await slow_upload.write(archive.data)
            await slow_upload.finish()
            yield
            await publish(organization, "old", "later")
            yield
            await organization.create_repository("new")
            await publish(organization, "new", "first")
            yield
            await old.publish(slow_upload, DeclaredMetadata(), uploader="ann@example.com")
            await organization.tokens.create(old.document)

        await publish(organization, "old", "demo")
        remaining = uploads()
        storage.interrupt_with(remaining)
        await collect_garbage(storage)
        async for _ in remaining:
            pass
        for name, projects in (("old", ["demo", "later", "slow"]), ("new", ["first"])):
            repository = await organization.repository(name)
            assert await repository.project_names() == projects
            for each in projects:
                project = await repository.project(each)
                assert isinstance(project, ProjectDocument)
                for file in project.files.values():
                    assert (await repository.content(file).read()) == wheel(
                        each, padding=2 << 20
                    ).data
                    assert await (await repository.metadata(file)).read()
        assert len(await organization.tokens.all()) == 1
        await organization.close()

    asyncio.run(scenario())


def test_the_partial_file_of_a_running_upload_is_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        storage = LocalStorage.in_folder(tmp_path)
        blob = storage.new_blob("blobs/some/")
        await blob.write(bytes(12 << 20))
        assert partial_files(tmp_path), "large blobs are no longer written while they arrive"
        assert await storage.delete_partial_files() == 0
        await blob.finish()
        assert storage.open(blob.key, 12 << 20).read() == bytes(12 << 20)
        await storage.close()

    asyncio.run(scenario())
