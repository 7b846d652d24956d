"""An idle server prepares the portal, so that its first page is as fast as later pages."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from jinja2 import Environment

from cloudrepo_server.keys import project_key
from cloudrepo_server.limits import CATALOGUE_READS
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.process.server import RunningServer, running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.process.storage import open_storage
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.portal import preparation
from tests.support.imported_modules import PROFILED, imported_modules
from tests.support.index import Server
from tests.support.process import ServerProcess
from tests.support.wait import wait_until, wait_until_async

TEMPLATES = Path(preparation.__file__).parent / "templates"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the templates that were compiled, in order."""
    monkeypatch.setattr(preparation, "IDLE_SECONDS", 0.01)
    names: list[str] = []
    original = Environment.compile

    def compile_template(self: Environment, source: Any, name: str, *more: Any) -> Any:  # noqa: ANN401 (jinja2's own arguments)
        names.append(name)
        return original(self, source, name, *more)

    monkeypatch.setattr(Environment, "compile", compile_template)
    return names


@asynccontextmanager
async def running(
    *, prepare: bool, data: Path | None = None
) -> AsyncIterator[tuple[RunningServer, Callable[[str], Any]]]:
    """Run a server in this process, and yield the server and a function that loads a page."""
    settings = ServerSettings(prepare_portal=prepare, data=data)
    async with running_server(settings) as server, aiohttp.ClientSession() as client:

        async def load(path: str) -> str:
            async with client.get(server.url + path) as response:
                assert response.status == 200
                return await response.text()

        yield server, load


def test_no_page_of_a_prepared_portal_waits_for_a_template(compiled: list[str]) -> None:
    async def scenario() -> None:
        async with running(prepare=True) as (_, load):
            every = {path.name for path in TEMPLATES.iterdir()}
            await wait_until_async(lambda: set(compiled) == every, "all templates to be compiled")
            assert len(compiled) == len(every)
            assert 'type="password"' in await load("/portal/sign-in")
            assert len(compiled) == len(every)

    asyncio.run(scenario())


def test_the_server_of_a_pytest_session_prepares_the_portal_after_its_first_page(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    original = InFlightRequests.wait_until_idle

    async def recorded(self: InFlightRequests, seconds: float) -> None:
        waits.append(seconds)
        await original(self, seconds)

    monkeypatch.setattr(InFlightRequests, "wait_until_idle", recorded)

    async def scenario() -> None:
        async with running(prepare=False) as (_, load):
            await load("/healthz")
            # The preparation begins with waiting until the server is idle.
            assert not waits
            await load("/portal/sign-in")
            every = {path.name for path in TEMPLATES.iterdir()}
            await wait_until_async(lambda: set(compiled) == every, "all templates to be compiled")
            assert waits

    asyncio.run(scenario())


@pytest.mark.usefixtures("compiled")
def test_all_projects_are_read_after_the_first_page_of_the_portal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = 2 * CATALOGUE_READS

    async def fill(repository_id: str) -> None:
        storage = await open_storage(tmp_path / "data", presigned=False)
        for name in (f"demo{each}" for each in range(number)):
            project = ProjectDocument(name=name, status="archived")

            def create(
                _: ProjectDocument | None, new: ProjectDocument = project
            ) -> ProjectDocument:
                return new

            await storage.change(project_key(repository_id, name), ProjectDocument, create)
        await storage.close()

    async def scenario() -> None:
        async with running(prepare=False, data=tmp_path / "data") as (server, _):
            repository = await server.organization.create_repository("main")
        await fill(repository.document.id)
        async with running(prepare=False, data=tmp_path / "data") as (server, load):
            organization = server.organization
            read: list[str] = []
            original = organization.catalogue.read

            async def recorded(*arguments: Any) -> Any:  # noqa: ANN401 (the catalogue's own types)
                found = await original(*arguments)
                read.extend(found)
                return found

            monkeypatch.setattr(organization.catalogue, "read", recorded)
            await load("/portal/sign-in")
            await wait_until_async(lambda: bool(read), "the catalogue to be read")
            summaries = await original([(await organization.repository("main")).document])
            (summary,) = summaries.values()
            await wait_until_async(lambda: not summary.unread, "all projects to be read")
            assert len(summary.projects) == number

    asyncio.run(scenario())


def test_a_server_without_an_owner_imports_the_portal_before_its_first_page(tmp_path: Path) -> None:
    environ = {PROFILED: "1"}
    alone = Server(ServerProcess(tmp_path / "alone", environ=environ))
    owner = ("--owner-pid", str(os.getpid()))
    owned = Server(ServerProcess(tmp_path / "owned", *owner, environ=environ))
    wait_until(lambda: "jinja2" in imported_modules(alone.process.log), "the import of the portal")
    assert "jinja2" not in imported_modules(owned.process.log)
    for server in (alone, owned):
        server.close()
        assert server.process.stop() == 0


def test_a_server_is_not_idle_while_it_handles_requests() -> None:
    async def scenario() -> None:
        in_flight, connection = InFlightRequests(), object()
        idle = asyncio.ensure_future(in_flight.wait_until_idle(0))
        for _ in range(10):
            # The requests follow each other without a pause.
            in_flight.add(connection)  # type: ignore[arg-type] # only its identity matters
            await asyncio.sleep(0)
            in_flight.remove(connection)  # type: ignore[arg-type] # only its identity matters
            assert not idle.done()
        in_flight.add(connection)  # type: ignore[arg-type] # only its identity matters
        for _ in range(10):
            await asyncio.sleep(0)
            assert not idle.done()
        in_flight.remove(connection)  # type: ignore[arg-type] # only its identity matters
        for _ in range(10):
            # A repeated response is sent at once, so its request is never in flight.
            in_flight.note_request(connection)  # type: ignore[arg-type] # only its identity matters
            await asyncio.sleep(0)
            assert not idle.done()
        await idle

    asyncio.run(scenario())
