"""The memory and the time that the portal needs for archives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.models import File
from cloudrepo_server.specs.archive_comparison import compare_contents
from cloudrepo_server.storage.local import LocalStorage
from cloudrepo_server.web.portal import file_differences
from cloudrepo_server.web.portal.archives import Archives
from cloudrepo_server.web.portal.file_differences import ShownChange, show_changes
from tests.support.archives import Archive, wheel


def organization() -> Organization:
    return Organization("example", LocalStorage.in_memory(), admin_username="a", admin_password="b")


async def publish(
    organization: Organization, archives: Sequence[Archive]
) -> tuple[Repository, list[File]]:
    """Return a new repository and the files that were published to it."""
    repository = await organization.create_repository("demo")
    files: list[File] = []
    for archive in archives:
        staged = repository.stage(archive.filename, digests={})
        await staged.write(archive.data)
        declared = DeclaredMetadata()
        files.append(await repository.publish(staged, declared, uploader="ann@example.com"))
    return repository, files


def test_the_memory_of_cached_lists_is_limited() -> None:
    async def run() -> None:
        owner = organization()
        repository, files = await publish(
            owner, [wheel(version=f"1.{number}") for number in range(5)]
        )
        archives = Archives(max_bytes=3000)
        for file in files:
            assert len((await archives.contents(repository, file)).members) == 4
        kept = [key for key in archives._cache if key[1] is False]  # noqa: SLF001 (its memory)
        assert 0 < len(kept) < 5
        await owner.close()

    asyncio.run(run())


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_the_time_of_the_comparisons_of_a_page_is_limited(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(file_differences, "DIFFERENCE_SECONDS", seconds)

    async def run() -> list[ShownChange]:
        owner = organization()
        old, new = wheel(version="1.0"), wheel(version="2.0", module="x = 2\n")
        repository, files = await publish(owner, [old, new])
        archives = Archives()
        contents = [await archives.contents(repository, file, with_digests=True) for file in files]
        comparison = compare_contents(old.filename, contents[0], new.filename, contents[1])
        shown = await show_changes(
            archives,
            owner.text_differences,
            repository,
            (files[0], files[1]),
            comparison.changes,
        )
        await owner.close()
        return shown

    (module,) = [shown for shown in asyncio.run(run()) if shown.change.path == "demo.py"]
    if seconds:
        assert ("removed", "-x = 1") in module.lines
    else:
        assert module.note == "The content differs. Comparing its lines takes too long."
