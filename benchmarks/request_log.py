"""Measure how long a page of the portal's request log takes, with many requests in the log.

The tables show the CPU time and the elapsed time of each page and of each download.
"""

import asyncio

import psutil

from benchmarks.portal import open_portal, print_downloads, print_pages, read_number
from cloudrepo_server.process.server import RunningServer
from cloudrepo_server.testkit.journal import Entry, encode_headers

_REPOSITORIES = 20
_LOG = "/portal/requests"
_PAGES = {
    "repositories, with the latest uploads": "/portal/",
    "all": _LOG,
    "old requests": f"{_LOG}?before=1000",
    "kind": f"{_LOG}?kind=file",
    "status": f"{_LOG}?status=4xx",
    "user": f"{_LOG}?user=user7",
    "client": f"{_LOG}?client=pip",
    "search, some found": f"{_LOG}?q=project77",
    "search, nothing found": f"{_LOG}?q=nothing-contains-this",
    "every filter": f"{_LOG}?kind=page&status=2xx&age=1h&user=user&project=project&client=pip"
    "&q=project",
    "one repository": "/portal/repositories/repository1/requests",
    "one request": "/portal/repositories/repository1/requests/77",
}
_DOWNLOADS = {
    "all, as CSV": f"{_LOG}.csv",
    "all, as JSON": f"{_LOG}.json",
    "search, as CSV": f"{_LOG}.csv?q=project77",
}
_AGENTS = (
    'pip/24.2 {"implementation":{"name":"CPython","version":"3.12.1"},"python":"3.12.1"}',
    'uv/0.4.20 {"installer":{"name":"uv","version":"0.4.20"},"python":"3.12.7"}',
    "twine/5.1.1 CPython/3.12.4 requests/2.32.3",
)
_HEADERS = [
    ("Host", "127.0.0.1:8080"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Accept", "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1"),
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("Authorization", "Basic ***"),
]


def main() -> None:
    """Measure, and print the tables."""
    entries = read_number("benchmarks.request_log", __doc__, "--entries", "requests", 100_000)
    asyncio.run(_measure(entries))


async def _measure(entries: int) -> None:
    async with open_portal() as portal:
        before = psutil.Process().memory_info().rss
        await _fill(portal.server, entries)
        added = psutil.Process().memory_info().rss - before
        print(
            f"{entries:,} requests in {_REPOSITORIES} repositories, {added >> 20} MiB of memory\n"
        )
        await print_pages(portal, _PAGES)
        await print_downloads(portal, _DOWNLOADS)


async def _fill(server: RunningServer, entries: int) -> None:
    testkit = server.organization.testkit
    ids = []
    for number in range(_REPOSITORIES):
        repository = await server.organization.create_repository(f"repository{number}")
        ids.append(repository.document.id)
    for number in range(entries):
        repository_number = number % _REPOSITORIES
        project = f"project{number % 1000}"
        is_file = number % 3 == 0
        filename = f"{project}-1.0-py3-none-any.whl" if is_file else None
        entry = Entry(
            kind="file" if is_file else "page",
            repository=f"repository{repository_number}",
            method="GET",
            path=f"/repositories/repository{repository_number}/{project}/{filename or ''}",
            project=project,
            filename=filename,
            user=f"user{number % 100}@example.com",
            user_agent=_AGENTS[number % len(_AGENTS)],
            headers=encode_headers(tuple(_HEADERS)),
            status=404 if number % 10 == 0 else 200,
            reason=f"The project {project} was not found." if number % 10 == 0 else "OK",
        )
        testkit.record(ids[repository_number], entry)
        testkit.settle(ids[repository_number], entry, anonymous=False)


if __name__ == "__main__":
    main()
