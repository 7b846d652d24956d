"""The catalogue of projects: how much one request reads and what it keeps in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cloudrepo_server.domain import catalogue
from cloudrepo_server.domain.catalogue import Catalogue, RepositorySummary, fold
from cloudrepo_server.keys import project_key, projects_of
from cloudrepo_server.limits import CATALOGUE_READS
from cloudrepo_server.models import File, ProjectDocument, RepositoryDocument
from cloudrepo_server.storage.background import BackgroundTasks
from cloudrepo_server.storage.local import LocalStorage

REPOSITORY = RepositoryDocument(id="abc", name="demo", created="2026-01-01T00:00:00.000000Z")


def run(scenario: Callable[[LocalStorage, Catalogue], Awaitable[None]]) -> None:
    async def with_storage() -> None:
        storage, tasks = LocalStorage.in_memory(), BackgroundTasks()
        await scenario(storage, Catalogue(storage, tasks))
        await tasks.close()
        await storage.close()

    asyncio.run(with_storage())


def project(name: str, *, files: int = 1) -> ProjectDocument:
    names = [f"{name}-{number}.tar.gz" for number in range(files)]
    return ProjectDocument(
        name=name,
        files={
            filename: File(
                filename=filename,
                version="1",
                size=10,
                sha256="0" * 64,
                upload_time="2026-01-01T00:00:00.000000Z",
                uploader="user",
                blob="blobs/x",
            )
            for filename in names
        },
    )


async def store(storage: LocalStorage, name: str, *, files: int = 1) -> None:
    await storage.change(
        project_key(REPOSITORY.id, name), ProjectDocument, lambda _: project(name, files=files)
    )


async def read(found: Catalogue) -> RepositorySummary:
    return (await found.read([REPOSITORY]))[REPOSITORY.id]


async def read_in_background(summary: RepositorySummary) -> None:
    """Let the background task run until it has read everything."""
    for _ in range(10_000):
        if not summary.unread:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"the background task left {len(summary.unread)} projects unread")


def test_a_request_reads_a_bounded_number_of_projects_and_a_background_task_the_others() -> None:
    async def scenario(storage: LocalStorage, found: Catalogue) -> None:
        for number in range(2 * CATALOGUE_READS):
            await store(storage, f"p{number:04}")
        first = await read(found)
        assert 0 < len(first.projects) <= CATALOGUE_READS
        assert len(first.projects) + len(first.unread) == 2 * CATALOGUE_READS
        # Every project counts at once, because the store lists them.
        assert first.totals.projects == 2 * CATALOGUE_READS
        await read_in_background(first)
        assert len(first.projects) == first.totals.files == 2 * CATALOGUE_READS

    run(scenario)


def test_large_projects_count_as_several_small_ones() -> None:
    async def scenario(storage: LocalStorage, found: Catalogue) -> None:
        for number in range(CATALOGUE_READS // 2):
            await store(storage, f"p{number:04}", files=100)
        summary = await read(found)
        assert summary.unread
        await read_in_background(summary)
        assert summary.totals.files == CATALOGUE_READS * 50

    run(scenario)


def test_a_request_reads_no_further_project_after_one_with_many_files() -> None:
    async def scenario(storage: LocalStorage, found: Catalogue) -> None:
        for number in range(5):
            await store(storage, f"p{number}", files=20 * CATALOGUE_READS)
        summary = await read(found)
        assert len(summary.projects) == 1
        assert len(summary.unread) == 4
        await read_in_background(summary)
        assert summary.totals.files == 5 * 20 * CATALOGUE_READS

    run(scenario)


def test_only_changed_projects_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(storage: LocalStorage, found: Catalogue) -> None:
        for name in ("a", "b", "c"):
            await store(storage, name)
        await read(found)
        keys: list[str] = []
        original = storage.read_uncached

        async def counting(key: str, type_: type[ProjectDocument]) -> ProjectDocument | None:
            keys.append(key)
            return await original(key, type_)

        monkeypatch.setattr(storage, "read_uncached", counting)
        await store(storage, "b", files=2)
        await store(storage, "d")
        await storage.change(project_key(REPOSITORY.id, "a"), ProjectDocument, lambda _: None)
        summary = await read(found)
        assert sorted(keys) == [project_key(REPOSITORY.id, name) for name in ("b", "d")]
        assert sorted(summary.projects) == ["b", "c", "d"]
        assert (summary.totals.projects, summary.totals.files) == (3, 4)
        await read(found)
        assert len(keys) == 2

    run(scenario)


def test_the_catalogue_keeps_a_bounded_number_of_file_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalogue, "CATALOGUE_FILES", 10)

    async def scenario(storage: LocalStorage, found: Catalogue) -> None:
        for name in ("a", "b", "c"):
            await store(storage, name, files=4)
        summary = await read(found)
        assert summary.kept_files == 8
        assert summary.totals.files == 12
        assert [each.name for each in summary.projects.values() if not each.filenames] == ["c"]
        # The names of a project that shrinks make room for those of another one.
        await store(storage, "a", files=1)
        await store(storage, "c", files=5)
        summary = await read(found)
        assert summary.kept_files == 10

    run(scenario)


def test_the_summaries_of_a_deleted_repository_are_forgotten() -> None:
    async def scenario(storage: LocalStorage, found: Catalogue) -> None:
        await store(storage, "a")
        assert (await read(found)).totals.projects == 1
        await storage.delete_repository_objects(REPOSITORY.id)
        found.forget(REPOSITORY.id)
        assert not (await storage.versions(projects_of(REPOSITORY.id))).by_name
        assert (await read(found)).totals.projects == 0

    run(scenario)


@pytest.mark.parametrize("text", ["", "Some_Thing.x", "İSTANBUL_1", "ẞ-ﬀ", "a\nb"])
def test_folding_keeps_the_length_so_that_matches_can_be_marked(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert "_" not in fold(text)
    assert "." not in fold(text)
