"""Changes of a file that another request deletes at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import Archive, wheel

VICTIM, OTHER = wheel(), wheel(version="2.0")

CHANGES: dict[str, Callable[[Repository], Awaitable[object]]] = {
    "yank": lambda repository: repository.yank(VICTIM.filename, "broken"),
    "set the upload time": lambda repository: repository.set_upload_time(
        VICTIM.filename, "2026-01-31T12:00:00.000000Z"
    ),
    "delete": lambda repository: repository.delete(VICTIM.filename),
}


async def publish(repository: Repository, archive: Archive) -> None:
    staged = repository.stage(archive.filename, digests={})
    await staged.write(archive.data)
    await repository.publish(staged, DeclaredMetadata(), uploader="ann@example.com")


@pytest.mark.parametrize("remaining", [[], [OTHER]], ids=["the only file", "one of two files"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_file_that_is_deleted_meanwhile_is_not_found(
    monkeypatch: pytest.MonkeyPatch, change: str, remaining: list[Archive]
) -> None:
    async def scenario() -> None:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        repository = await organization.create_repository("demo")
        for archive in (VICTIM, *remaining):
            await publish(repository, archive)
        find = Repository.find

        async def find_and_lose(each: Repository, filename: str) -> tuple[ProjectDocument, File]:
            found = await find(each, filename)
            monkeypatch.setattr(Repository, "find", find)
            await each.delete(filename)
            return found

        monkeypatch.setattr(Repository, "find", find_and_lose)
        with pytest.raises(NotFoundError, match=VICTIM.filename):
            await CHANGES[change](repository)
        project = await repository.project("demo")
        assert [*(project.files if project else {})] == [each.filename for each in remaining]
        await organization.close()

    asyncio.run(scenario())
