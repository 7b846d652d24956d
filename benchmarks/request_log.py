"""Measure how long a page of the portal's request log takes, with many requests in the log.

The table shows the median and the longest time of each page.
"""

import argparse
import asyncio
import re
import statistics
from http import HTTPStatus
from time import perf_counter

import aiohttp
import psutil

from cloudrepo_server.process.server import RunningServer, running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.testkit.journal import Entry, encode_headers

_REPOSITORIES = 20
_REPETITIONS = 20
_TOKEN = re.compile(r'name="form-token" value="([^"]+)"')
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
        await _sign_in(client, server, settings)
        print("| page | median, ms | longest, ms |")
        print("|---|---|---|")
        for name, query in _PAGES.items():
            times = [
                await _time(client, f"{server.url}/portal/requests{query}")
                for _ in range(_REPETITIONS)
            ]
            print(f"| {name} | {statistics.median(times):.0f} | {max(times):.0f} |")


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


async def _sign_in(
    client: aiohttp.ClientSession, server: RunningServer, settings: ServerSettings
) -> None:
    url = f"{server.url}/portal/sign-in"
    async with client.get(url) as response:
        token = _TOKEN.search(await response.text())
    if token is None:
        raise RuntimeError("the sign-in page has no form")
    form = {
        "form-token": token[1],
        "username": settings.admin_username,
        "password": settings.admin_password,
    }
    async with client.post(url, data=form) as response:
        response.raise_for_status()


async def _time(client: aiohttp.ClientSession, url: str) -> float:
    started = perf_counter()
    async with client.get(url, allow_redirects=False) as response:
        await response.read()
        if response.status != HTTPStatus.OK:
            raise RuntimeError(f"{url} responded with {response.status}")
    return (perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
