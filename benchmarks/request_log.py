"""Measure how long a page of the portal's request log takes, with many requests in the log.

The table shows the CPU time of each page, and the median and the longest time.
"""

import argparse
import asyncio

import aiohttp
import psutil

from benchmarks.portal import print_table, sign_in
from cloudrepo_server.process.server import RunningServer, running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.testkit.journal import Entry, encode_headers

_REPOSITORIES = 20
_PAGES = {
    "all": "",
    "old requests": "?before=1000",
    "kind": "?kind=file",
    "status": "?status=4xx",
    "user": "?user=user7",
    "client": "?client=pip",
    "search, some found": "?q=project77",
    "search, nothing found": "?q=nothing-contains-this",
    "every filter": "?kind=page&status=2xx&age=1h&user=user&project=project&client=pip&q=project",
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
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.request_log", description=__doc__)
    parser.add_argument(
        "--entries", type=int, default=100_000, help="number of requests (default: %(default)s)"
    )
    asyncio.run(_measure(parser.parse_args().entries))


async def _measure(entries: int) -> None:
    settings = ServerSettings()
    async with (
        running_server(settings) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client,
    ):
        before = psutil.Process().memory_info().rss
        await _fill(server, entries)
        added = psutil.Process().memory_info().rss - before
        print(
            f"{entries:,} requests in {_REPOSITORIES} repositories, {added >> 20} MiB of memory\n"
        )
        await sign_in(client, server, settings)
        await print_table(client, f"{server.url}/portal/requests", _PAGES)


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
