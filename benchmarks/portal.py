"""Signs in to the portal of a server, and measures its pages."""

import re
import statistics
from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter, process_time

import aiohttp

from cloudrepo_server.process.server import RunningServer
from cloudrepo_server.process.settings import ServerSettings

REPETITIONS = 20
_TOKEN = re.compile(r'name="form-token" value="([^"]+)"')


async def sign_in(
    client: aiohttp.ClientSession, server: RunningServer, settings: ServerSettings
) -> None:
    """Sign in as the admin user."""
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


async def time_page(client: aiohttp.ClientSession, url: str) -> float:
    """Return how many milliseconds a page takes."""
    started = perf_counter()
    async with client.get(url, allow_redirects=False) as response:
        await response.read()
        if response.status != HTTPStatus.OK:
            raise RuntimeError(f"{url} responded with {response.status}")
    return (perf_counter() - started) * 1000


async def print_table(client: aiohttp.ClientSession, base: str, pages: Mapping[str, str]) -> None:
    """Measure pages, and print a table with the CPU time and the time of each.

    The CPU time is that of the server and the client, which share a process.

    Args:
        client: a client that has signed in.
        base: the beginning of all URLs.
        pages: the rest of each URL, by a name for the page.
    """
    print("| page | CPU time, median, ms | time, median, ms | time, longest, ms |")
    print("|---|--:|--:|--:|")
    for name, path in pages.items():
        times, cpu_times = [], []
        for _ in range(REPETITIONS):
            started = process_time()
            times.append(await time_page(client, base + path))
            cpu_times.append((process_time() - started) * 1000)
        print(
            f"| {name} | {statistics.median(cpu_times):.0f} "
            f"| {statistics.median(times):.0f} | {max(times):.0f} |"
        )
