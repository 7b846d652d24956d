"""Measure how long the portal's pages of projects and releases take, with many files.

The table shows the CPU time and the elapsed time of each page.
"""

import asyncio

import msgspec

from benchmarks.portal import open_portal, print_pages, read_number
from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.keys import project_key
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.storage import Storage
from tests.support.archives import wheel

_PROJECTS = "/portal/repositories/demo/projects"
_PAGES = {
    "projects of the repository": "/portal/repositories/demo",
    "files of the repository": "/portal/repositories/demo/files?sort=-size",
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
    files = read_number("benchmarks.releases", __doc__, "--files", "files of a project", 10_000)
    asyncio.run(_measure(files))


async def _measure(files: int) -> None:
    async def fill(organization: Organization, storage: Storage) -> None:
        await _fill(organization, storage, files)

    async with open_portal(fill) as portal:
        print(f"A project with {files:,} releases, and one with {files:,} files in one release.\n")
        await print_pages(portal, _PAGES)


async def _fill(organization: Organization, storage: Storage, files: int) -> None:
    """Write the documents of the server before it starts. All files have the same content."""
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


if __name__ == "__main__":
    main()
