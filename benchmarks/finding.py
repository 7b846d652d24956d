"""Measure how long the portal's lists and searches take, with many projects.

The tables show the CPU time and the elapsed time of each page and of each download.
"""

import asyncio
from time import perf_counter

from benchmarks.portal import (
    open_portal,
    print_downloads,
    print_pages,
    read_number,
    time_page,
)
from cloudrepo_server.changes import Change
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.keys import project_key
from cloudrepo_server.limits import AUDIT_ENTRIES
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.specs.timestamps import format_time
from cloudrepo_server.storage import Storage

_REPOSITORIES = 10
_FILES = 5
_LARGE = "/portal/repositories/repository0"
_PAGES = {
    "repositories": "/portal/",
    "repositories by size": "/portal/?sort=-size",
    "projects": _LARGE,
    "projects by last upload": f"{_LARGE}?sort=-upload",
    "projects, last page": f"{_LARGE}?page=999999",
    "projects, searched": f"{_LARGE}?q=77&sort=size",
    "files by size": f"{_LARGE}/files?sort=-size",
    "files, searched": f"{_LARGE}/files?q=77",
    "search, some found": "/portal/search?q=project77",
    "search, two words": "/portal/search?q=77+whl",
    "search, everything found": "/portal/search?q=project",
    "search, one kind": "/portal/search?q=project&kind=files&page=20",
    "search, nothing found": "/portal/search?q=nothing-contains-this",
    "changes": "/portal/audit",
    "changes, filtered": "/portal/audit?kind=upload&user=user7&repository=repository3",
    "suggestions": "/portal/suggestions/repositories?q=7",
}
_DOWNLOADS = {
    "changes, as CSV": "/portal/audit.csv",
    "changes, as JSON": "/portal/audit.json",
}


def main() -> None:
    """Measure, and print the tables."""
    projects = read_number("benchmarks.finding", __doc__, "--projects", "projects", 10_000)
    asyncio.run(_measure(projects))


async def _measure(projects: int) -> None:
    async def fill(organization: Organization, storage: Storage) -> None:
        await _fill(organization, storage, projects)

    async with open_portal(fill) as portal:
        organization = portal.server.organization
        _record_changes(organization)
        started = perf_counter()
        first = await time_page(portal.client, f"{portal.server.url}/portal/search?q=first")
        await _read_catalogue(organization)
        seconds = perf_counter() - started
        print(
            f"{projects:,} projects with {projects * _FILES:,} files, 60 % of them in one "
            f"repository, and {AUDIT_ENTRIES:,} changes. After the start, the first search takes "
            f"{first:.0f} ms, and the catalogue is complete after {seconds:.1f} s.\n"
        )
        await print_pages(portal, _PAGES)
        await print_downloads(portal, _DOWNLOADS)


async def _fill(organization: Organization, storage: Storage, projects: int) -> None:
    """Write the documents of the server before it starts."""
    ids = []
    for number in range(_REPOSITORIES):
        repository = await organization.create_repository(f"repository{number}")
        ids.append(repository.document.id)
    for number in range(projects):
        name = f"project{number}"
        files = [_file(name, number, version) for version in range(_FILES)]
        project = ProjectDocument(name=name, files={file.filename: file for file in files})
        repository_id = ids[0] if number % 2 else ids[number % _REPOSITORIES]

        def create(_: ProjectDocument | None, new: ProjectDocument = project) -> ProjectDocument:
            return new

        await storage.change(project_key(repository_id, name), ProjectDocument, create)


def _record_changes(organization: Organization) -> None:
    for number in range(AUDIT_ENTRIES):
        change = Change(
            kind="upload" if number % 2 else "yank",
            time=1.7e9 + number,
            repository=f"repository{number % _REPOSITORIES}",
            subject=f"project{number}-1.0-py3-none-any.whl",
        )
        user = f"user{number % 100}@example.com"
        organization.audit.record([change], user=user, repository=None, interface="index")


def _file(project: str, number: int, version: int) -> File:
    return File(
        filename=f"{project}-1.{version}-py3-none-any.whl",
        version=f"1.{version}",
        size=number * 7919 % 1_000_003,
        sha256=f"{number:064x}",
        upload_time=format_time(1.7e9 + number * 7919 % 1_000_003),
        uploader="user@example.com",
        blob="blobs/x",
    )


async def _read_catalogue(organization: Organization) -> None:
    documents = [each.document for each in await organization.repositories()]
    is_complete = False
    while not is_complete:
        summaries = await organization.catalogue.read(documents)
        is_complete = not any(summary.unread for summary in summaries.values())


if __name__ == "__main__":
    main()
