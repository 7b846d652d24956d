"""What a killed server left is removed at the next start; what is referred to never is."""

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
from cloudrepo_server.domain.garbage import collect_garbage
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.storage import StoredObject
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until


@dataclass(frozen=True)
class Kept:
    """A data folder, and the repository of a server that ran on it."""

    data: Path
    start_server: StartServer
    index: Index
    id: str

    @contextmanager
    def again(self) -> Iterator[Index]:
        """The repository on a server that is started once more."""
        server = Server(self.start_server("--data", self.data))
        try:
            yield Index(server, self.index.name, self.index.username, self.index.password)
        finally:
            server.close()
            assert server.process.stop() == 0, server.process.log

    @property
    def store(self) -> Path:
        return self.data / "store"

    def leave(self, *keys: str) -> list[Path]:
        """Put there what a killed server would leave."""
        left = [self.store / key for key in keys]
        for path in left:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"left behind")
        return left

    def files(self) -> set[Path]:
        return {path for path in self.store.rglob("*") if path.is_file()}


@pytest.fixture
def kept(tmp_path: Path, start_server: StartServer) -> Kept:
    data = tmp_path / "kept"
    server = Server(start_server("--data", data))
    index = server.repository()
    index.publish(wheel(), wheel("big", padding=2 << 20))
    index.publish(wheel("other"))
    server.close()
    assert server.process.stop() == 0
    (document,) = (data / "store" / "repositories").iterdir()
    return Kept(data, start_server, index, json.loads(document.read_bytes())["id"])


def unfinished(folder: Path) -> list[Path]:
    return list(folder.rglob("*#*"))


def gone(paths: list[Path]) -> None:
    wait_until(
        lambda: not any(path.exists() for path in paths), "what was left behind to be removed"
    )


def test_what_nothing_refers_to_goes_and_all_else_stays(kept: Kept) -> None:
    before = kept.files()
    left = kept.leave(
        f"blobs/{kept.id}/" + "0" * 32,
        f"blobs/{kept.id}/" + "1" * 32 + "#1",
        f"projects/{kept.id}/p-demo.json#12",
        "repositories/@demo.json#1",
        "blobs/0123456789abcdef/" + "0" * 32,
        "projects/0123456789abcdef/p-demo.json",
    )
    with kept.again() as index:
        gone(left)
        for archive in (wheel(), wheel("big", padding=2 << 20), wheel("other")):
            project = archive.filename.partition("-")[0]
            assert index.get(f"/{project}/{archive.filename}").content == archive.data
            assert index.get(f"/{project}/{archive.filename}.metadata").content == archive.metadata
        log = index.server.process.log
        assert (
            "Garbage collection deleted what a killed server left: 1 blobs, 1 deleted repositories"
            in log
        )
    assert kept.files() == before
    assert not (kept.store / "blobs" / "0123456789abcdef").exists()


def test_a_token_goes_with_its_repository_though_the_server_was_killed_between(kept: Kept) -> None:
    with kept.again() as index:
        index.server.done("POST", "/tokens", {"repository": index.name})
        (token,) = (kept.store / "tokens").iterdir()
    document = json.loads(token.read_bytes())
    orphan = token.with_name("orphan.json")
    orphan.write_text(json.dumps({**document, "id": "orphan", "repository_id": "no-more"}))
    with kept.again() as index:
        gone([orphan])
        assert [each["id"] for each in index.server.done("GET", "/tokens")["tokens"]] == [
            document["id"]
        ]


@pytest.mark.parametrize("damaged", ["projects/*/p-other.json", "repositories/*.json"])
def test_nothing_goes_from_where_a_document_cannot_be_read(kept: Kept, damaged: str) -> None:
    (document,) = kept.store.glob(damaged)
    whole = document.read_bytes()
    document.write_bytes(whole[:-1])
    before = kept.files()
    (left,) = kept.leave(f"blobs/{kept.id}/" + "0" * 32)
    with kept.again() as index:
        wait_until(
            lambda: "a document cannot be read" in index.server.process.log,
            "the log to say what was left alone",
        )
    assert kept.files() == before | {left}
    document.write_bytes(whole)
    with kept.again():
        gone([left])


class Interrupted(LocalStorage):
    """A store in which something happens while it is listed."""

    def happens(self, what: AsyncIterator[None]) -> Self:
        self.what = what
        return self

    async def list_objects(self, prefix: str) -> AsyncIterator[list[StoredObject]]:
        await anext(self.what, None)
        async for batch in super().list_objects(prefix):
            await anext(self.what, None)
            yield batch
        await anext(self.what, None)


@pytest.mark.parametrize("steps", range(9))
def test_what_is_written_meanwhile_stays(tmp_path: Path, steps: int) -> None:
    """However far the sweep is when an upload begins, and when it becomes visible."""

    async def story() -> None:
        storage = Interrupted.in_folder(tmp_path)
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        await organization.create_repository("old")
        old = await organization.repository("old")

        async def publish(name: str, archive_name: str) -> None:
            repository = await organization.repository(name)
            archive = wheel(archive_name, padding=2 << 20)
            incoming = repository.stage(archive.filename, digests={})
            await incoming.write(archive.data)
            await incoming.finish()
            await repository.publish(incoming, DeclaredMetadata(), uploader="somebody")

        async def happening() -> AsyncIterator[None]:
            for _ in range(steps):
                yield
            archive = wheel("under-way", padding=2 << 20)
            under_way = old.stage(archive.filename, digests={})
            await under_way.write(archive.data)
            await under_way.finish()
            yield
            await publish("old", "later")
            yield
            await organization.create_repository("new")
            await publish("new", "first")
            yield
            await old.publish(under_way, DeclaredMetadata(), uploader="somebody")
            await organization.tokens.create(old.document)

        await publish("old", "demo")
        happens = happening()
        storage.happens(happens)
        await collect_garbage(storage)
        async for _ in happens:
            pass
        for name, projects in (("old", ["demo", "later", "under-way"]), ("new", ["first"])):
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

    asyncio.run(story())


def test_a_large_upload_under_way_is_no_leftover(tmp_path: Path) -> None:
    async def story() -> None:
        storage = LocalStorage.in_folder(tmp_path)
        blob = storage.new_blob("blobs/some/")
        await blob.write(bytes(12 << 20))
        assert unfinished(tmp_path), "nothing is written before its end any more"
        assert await storage.delete_partial_files() == 0
        await blob.finish()
        assert storage.open(blob.key, 12 << 20).read() == bytes(12 << 20)
        await storage.close()

    asyncio.run(story())
