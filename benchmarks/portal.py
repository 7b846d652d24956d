"""Runs a server with many projects, files or requests, and measures the pages of its portal.

The server and the client share a process, so the CPU time is that of both.
"""

import argparse
import asyncio
import re
import statistics
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from time import perf_counter, process_time

import aiohttp

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.process.server import RunningServer, running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.process.storage import open_storage
from cloudrepo_server.storage import Storage

REPETITIONS = 20
_TOKEN = re.compile(r'name="form-token" value="([^"]+)"')
# The server is idle if it used less than this CPU time in this period.
_IDLE_SECONDS = 2.0
_IDLE_CPU_SECONDS = 0.05
_PROBE_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class PortalUnderTest:
    """A server and a client that has signed in to its portal."""

    server: RunningServer
    client: aiohttp.ClientSession
    sign_in_milliseconds: float
    """The time of the first page of the server, the sign-in page."""


def read_number(program: str, description: str | None, option: str, noun: str, default: int) -> int:
    """Return the number that the user gives to a benchmark with a command-line option.

    Args:
        program: the name of the benchmark's module.
        description: what the benchmark measures.
        option: the name of the option.
        noun: what the number counts.
        default: the number if the option is not given.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument(
        option, type=int, default=default, help=f"number of {noun} (default: %(default)s)"
    )
    number: int = getattr(parser.parse_args(), option.removeprefix("--"))
    return number


@asynccontextmanager
async def open_portal(
    fill: Callable[[Organization, Storage], Awaitable[None]] | None = None,
) -> AsyncIterator[PortalUnderTest]:
    """Run a server, let it prepare its portal, and sign in.

    Args:
        fill: writes the documents of a data folder, before the server starts. Without it, the
            server has a temporary store.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = None if fill is None else Path(folder)
        settings = ServerSettings(data=data, prepare_portal=True)
        if fill is not None:
            await _fill(settings, fill)
        jar = aiohttp.CookieJar(unsafe=True)
        async with (
            running_server(settings) as server,
            aiohttp.ClientSession(cookie_jar=jar) as client,
        ):
            await wait_until_idle()
            sign_in_page = await time_page(client, f"{server.url}/portal/sign-in")
            await _sign_in(client, server, settings)
            yield PortalUnderTest(server, client, sign_in_page)


async def _fill(
    settings: ServerSettings, fill: Callable[[Organization, Storage], Awaitable[None]]
) -> None:
    storage = await open_storage(settings.data, presigned=False)
    organization = Organization(
        settings.organization,
        storage,
        admin_username=settings.admin_username,
        admin_password=settings.admin_password,
    )
    await fill(organization, storage)
    await organization.close()


async def wait_until_idle() -> None:
    """Wait until the server has finished its work in the background."""
    before = -_IDLE_CPU_SECONDS
    while process_time() - before >= _IDLE_CPU_SECONDS:
        before = process_time()
        await asyncio.sleep(_IDLE_SECONDS)


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
    async with client.post(url, data=form, allow_redirects=False) as response:
        if response.status != HTTPStatus.SEE_OTHER:
            raise RuntimeError(f"the sign-in failed with {response.status}")


async def time_page(client: aiohttp.ClientSession, url: str) -> float:
    """Return how many milliseconds a page takes."""
    started = perf_counter()
    async with client.get(url, allow_redirects=False) as response:
        await response.read()
        if response.status != HTTPStatus.OK:
            raise RuntimeError(f"{url} responded with {response.status}")
    return (perf_counter() - started) * 1000


async def print_pages(portal: PortalUnderTest, pages: Mapping[str, str]) -> None:
    """Measure pages, and print a table with the first, the median and the longest view of each.

    Args:
        portal: the portal.
        pages: the path of each page, by a name for the page.
    """
    print("| page | CPU time, first, ms | CPU time, median | time, first | median | longest |")
    print("|---|--:|--:|--:|--:|--:|")
    slowest, slowest_cpu = ("sign-in", portal.sign_in_milliseconds), ("", 0.0)
    print(f"| sign-in | | | {portal.sign_in_milliseconds:.0f} | | |")
    for name, path in pages.items():
        times, cpu_times = [], []
        for _ in range(REPETITIONS):
            started = process_time()
            times.append(await time_page(portal.client, portal.server.url + path))
            cpu_times.append((process_time() - started) * 1000)
        slowest = max(slowest, (name, max(times)), key=lambda each: each[1])
        slowest_cpu = max(slowest_cpu, (name, max(cpu_times)), key=lambda each: each[1])
        print(
            f"| {name} | {cpu_times[0]:.0f} | {statistics.median(cpu_times):.0f} "
            f"| {times[0]:.0f} | {statistics.median(times):.0f} | {max(times):.0f} |"
        )
    print(
        f"\nThe longest view, first views included: {slowest[1]:.0f} ms ({slowest[0]}). "
        f"The most CPU time of a view: {slowest_cpu[1]:.0f} ms ({slowest_cpu[0]})."
    )


async def print_downloads(portal: PortalUnderTest, downloads: Mapping[str, str]) -> None:
    """Measure downloads, and how long another request waits during each; print a table.

    Args:
        portal: the portal.
        downloads: the path of each download, by a name for it.
    """
    print(
        "\n| download | CPU time, median, ms | median, ms | longest wait of another request, ms |"
    )
    print("|---|--:|--:|--:|")
    for name, path in downloads.items():
        times, cpu_times, waits = [], [], [0.0]
        for _ in range(REPETITIONS // 4):
            probe = asyncio.ensure_future(_probe(portal, waits))
            started = process_time()
            times.append(await time_page(portal.client, portal.server.url + path))
            cpu_times.append((process_time() - started) * 1000)
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)
        print(
            f"| {name} | {statistics.median(cpu_times):.0f} | {statistics.median(times):.0f} "
            f"| {max(waits):.0f} |"
        )


async def _probe(portal: PortalUnderTest, waits: list[float]) -> None:
    while True:
        waits.append(await time_page(portal.client, f"{portal.server.url}/healthz"))
        await asyncio.sleep(_PROBE_SECONDS)
