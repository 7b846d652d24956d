"""Real clients, each installed in an environment of its own, and the table of what they did."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from tests.support.clients import client as clients
from tests.support.clients import sections
from tests.support.clients.table import Row, line_of, readable, render
from tests.support.clients.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client, Installed
    from tests.support.clients.table import Note
    from tests.support.clients.uploaders import Uploader

CACHE = "CLOUDREPO_CLIENTS_CACHE"
ROW = "clients-row"


class Page:
    """The table, filled as the tests end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[Row] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            # What a test of pytest-xdist's workers notes arrives with its report.
            rows = [value for name, value in report.user_properties if name == ROW]
            self._rows += [Row(**row) for row in rows if isinstance(row, dict)]

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        if exitstatus != pytest.ExitCode.OK:
            terminalreporter.line(f"{self._path} stays as it was, since not all tests passed")
            return
        self._path.write_text(render(self._rows, sections.WORDS), "utf-8")
        terminalreporter.line(f"{self._path} has {len(self._rows)} rows")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--clients-table",
        type=Path,
        metavar="FILE",
        help="write what every client did to this file, if all tests pass",
    )


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("clients_table", default=None)
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Page(path.absolute()))


@pytest.fixture(scope="session")
def cache_folder() -> Path:
    """Where the clients are installed, and stay."""
    chosen = os.environ.get(CACHE)
    own = platformdirs.user_cache_path("pytest-cloudrepo", appauthor=False) / "clients"
    return Path(chosen) if chosen else own


@pytest.fixture(scope="session")
def installed(cache_folder: Path) -> Callable[[Client], Installed]:
    """Installs a client, or finds it installed."""
    known: dict[Client, Installed] = {}

    def install(client: Client) -> Installed:
        if client not in known:
            known[client] = clients.install(client, cache_folder)
        return known[client]

    return install


@pytest.fixture
def note(request: pytest.FixtureRequest, tmp_path: Path, cache_folder: Path) -> Note:
    """Adds rows to the table."""
    position = 1000 * request.session.items.index(request.node)
    places = {str(tmp_path): "…", str(cache_folder): "…", str(Path.home()): "~"}

    def add(
        section: str,
        client: Installed,
        asked: str,
        result: CommandResult,
        then: str,
        *,
        shows: str | None = None,
    ) -> None:
        assert section in sections.WORDS
        row = Row(
            section=section,
            position=position + len(request.node.user_properties),
            client=str(client),
            python=client.python_version,
            asked=asked,
            status=result.returncode,
            said=readable(line_of(result.output, shows), places),
            then=then,
        )
        request.node.user_properties.append((ROW, asdict(row)))

    return add


@pytest.fixture
def uploads(
    uploader: Uploader,
    installed: Callable[[Client], Installed],
    tmp_path: Path,
    cloudrepo_package: PackageFactory,
    note: Note,
) -> Uploads:
    """An uploader at work: the one that the test is about."""
    return Uploads(uploader, installed(uploader.client), tmp_path, cloudrepo_package, note)


@pytest.fixture
def published(uploads: Uploads, cloudrepo: Repository) -> dict[str, bytes]:
    """What is in the repository already."""
    return uploads.publish(cloudrepo)
