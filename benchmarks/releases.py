"""Measure how long the portal's pages of projects and releases take, with many files.

The table shows the CPU time of each page, and the median and the longest time.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.portal import print_table, sign_in
from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.keys import project_key
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.process.storage import open_storage
from tests.support.archives import wheel

_PROJECTS = "/portal/repositories/demo/projects"
_PAGES = {
    "project, many releases": f"{_PROJECTS}/releases",
    "project, last page of releases": f"{_PROJECTS}/releases?page=999999",
    "release of many releases": f"{_PROJECTS}/releases/releases/1.77",
    "difference of two of many releases": f"{_PROJECTS}/releases/compare?old=1.77&new=1.78",
    "project, many files": f"{_PROJECTS}/files",
    "release, many files": f"{_PROJECTS}/files/releases/1.0",
    "release, last page of files": f"{_PROJECTS}/files/releases/1.0?page=999999",
    "deletion of many files": f"{_PROJECTS}/files/releases/1.0/delete",
    "contents of one of many files": "/portal/repositories/demo/files/"
    "files-1.0-77-py3-none-any.whl/contents",
}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.releases", description=__doc__)
    parser.add_argument(
        "--files",
        type=int,
        default=10_000,
        help="number of files of a project (default: %(default)s)",
    )
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder), files))


async def _measure(folder: Path, files: int) -> None:
    settings = ServerSettings(data=folder)
    await _fill(settings, files)
    async with (
        running_server(settings) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client,
    ):
        await sign_in(client, server, settings)
        print(f"A project with {files:,} releases, and one with {files:,} files in one release.\n")
        await print_table(client, server.url, _PAGES)


async def _fill(settings: ServerSettings, files: int) -> None:
    """Write the documents of the server before it starts. All files have the same content."""
    storage = await open_storage(settings.data, presigned=False)
    organization = Organization(
        settings.organization,
        storage,
        admin_username=settings.admin_username,
        admin_password=settings.admin_password,
    )
    repository = await organization.create_repository("demo")
    archive = wheel("template")
    staged = repository.stage(archive.filename, digests={})
    await staged.write(archive.data)
    template = await repository.publish(staged, DeclaredMetadata(), uploader="user@example.com")
    many = {
        "releases": [
            (f"releases-1.{number}-py3-none-any.whl", f"1.{number}") for number in range(files)
        ],
        "files": [(f"files-1.0-{number}-py3-none-any.whl", "1.0") for number in range(files)],
    }
    for name, named in many.items():
        copies: dict[str, File] = {
            filename: msgspec.structs.replace(template, filename=filename, version=version)
            for filename, version in named
        }
        project = ProjectDocument(name=name, files=copies)

        def create(_: ProjectDocument | None, new: ProjectDocument = project) -> ProjectDocument:
            return new

        await storage.change(project_key(repository.document.id, name), ProjectDocument, create)
    await organization.close()


if __name__ == "__main__":
    main()
