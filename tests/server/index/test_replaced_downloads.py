"""Downloads of files that were replaced or deleted after the request read the project."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.models import Project, ProjectDocument
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.web.index.view import RepositoryView
from tests.support.archives import Archive, wheel
from tests.support.raw import basic

USER = ("ann@example.com", "correct horse battery staple")
FIRST, SECOND = wheel(), wheel(module="x = 2\n")


async def publish(repository: Repository, archive: Archive) -> None:
    staged = repository.stage(archive.filename, digests={})
    await staged.write(archive.data)
    await repository.publish(staged, DeclaredMetadata(), uploader=USER[0])


async def delete(repository: Repository) -> None:
    await repository.delete(FIRST.filename)


async def replace(repository: Repository) -> None:
    await publish(repository, SECOND)


async def do_nothing(_: Repository) -> None:
    """Only the content of the file is lost."""


@pytest.mark.parametrize(
    ("meanwhile", "status", "text"),
    [
        (replace, 200, ""),
        (delete, 404, "no longer exists"),
        (do_nothing, 404, "no longer exists"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".metadata"])
def test_a_download_reads_the_project_again_if_the_content_is_gone(
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[Repository], Awaitable[None]],
    status: int,
    text: str,
    suffix: str,
) -> None:
    expected = SECOND.metadata if suffix else SECOND.data

    async def scenario() -> None:
        async with running_server(ServerSettings()) as server:
            await server.organization.users.create(USER[0], passphrase=USER[1])
            repository = await server.organization.create_repository("demo")
            await publish(repository, FIRST)
            stale = await repository.project("demo")
            assert stale is not None
            await meanwhile(repository)
            for key in stale.files[FIRST.filename].blobs:
                repository._storage.delete(key)  # noqa: SLF001 (as after a minute)
            read = RepositoryView.project

            async def read_stale(
                view: RepositoryView, name: str, _: ProjectDocument | None
            ) -> Project | None:
                monkeypatch.setattr(RepositoryView, "project", read)
                return await read(view, name, stale)

            monkeypatch.setattr(RepositoryView, "project", read_stale)
            async with (
                aiohttp.ClientSession(headers={"Authorization": basic(*USER)}) as client,
                client.get(
                    f"{server.url}/repositories/demo/demo/{FIRST.filename}{suffix}"
                ) as response,
            ):
                content = await response.read()
                assert response.status == status
                assert text in content.decode(errors="replace")
                if status == 200:
                    assert content == expected

    asyncio.run(scenario())
