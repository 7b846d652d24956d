"""Fixtures that install real clients, run them, and write the table of their results."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from tests.support.clients import client as clients
from tests.support.clients import sections
from tests.support.clients.installer import Installer
from tests.support.clients.table import Row, find_line, normalize, render
from tests.support.clients.upload_runner import UploadRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client, InstalledClient
    from tests.support.clients.table import RecordRow
    from tests.support.clients.uploaders import Uploader

CACHE = "CLOUDREPO_CLIENTS_CACHE"
ROW = "clients-row"


class TableWriter:
    """A pytest plugin that collects the rows of the tests and writes the page."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[Row] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            # The reports also carry the rows of tests that pytest-xdist's workers ran.
            rows = [value for name, value in report.user_properties if name == ROW]
            self._rows += [Row(**row) for row in rows if isinstance(row, dict)]

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        if exitstatus != pytest.ExitCode.OK:
            terminalreporter.line(f"{self._path} was not changed, because not all tests passed")
            return
        self._path.write_text(render(self._rows, sections.INTRODUCTIONS), "utf-8")
        terminalreporter.line(f"wrote {len(self._rows)} rows to {self._path}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--clients-table",
        type=Path,
        metavar="FILE",
        help="write the results of all clients to this file, if all tests pass",
    )


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("clients_table", default=None)
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(TableWriter(path.absolute()))


@pytest.fixture(scope="session")
def cache_folder() -> Path:
    """The folder that keeps the installed clients for later sessions."""
    chosen = os.environ.get(CACHE)
    default = platformdirs.user_cache_path("pytest-cloudrepo", appauthor=False) / "clients"
    return Path(chosen) if chosen else default


@pytest.fixture(scope="session")
def install_client(cache_folder: Path) -> Callable[[Client], InstalledClient]:
    """A function that installs a client, once per session."""
    installed: dict[Client, InstalledClient] = {}

    def install(client: Client) -> InstalledClient:
        if client not in installed:
            installed[client] = clients.install(client, cache_folder)
        return installed[client]

    return install


@pytest.fixture
def record_row(request: pytest.FixtureRequest, tmp_path: Path, cache_folder: Path) -> RecordRow:
    """A function that adds a row to the table."""
    position = 1000 * request.session.items.index(request.node)
    replacements = {str(tmp_path): "…", str(cache_folder): "…", str(Path.home()): "~"}

    def record(
        section: str,
        client: InstalledClient,
        action: str,
        result: CommandResult,
        outcome: str,
        *,
        shows: str | None = None,
    ) -> None:
        assert section in sections.INTRODUCTIONS
        row = Row(
            section=section,
            position=position + len(request.node.user_properties),
            client=str(client),
            python=client.python_version,
            action=action,
            exit_status=result.returncode,
            output=normalize(find_line(result.output, shows), replacements),
            result=outcome,
        )
        request.node.user_properties.append((ROW, asdict(row)))

    return record


@pytest.fixture
def create_installer(
    install_client: Callable[[Client], InstalledClient], tmp_path: Path, record_row: RecordRow
) -> Callable[[Client, Repository], Installer]:
    """A function that prepares an installer for a repository."""

    def create(client: Client, repository: Repository) -> Installer:
        return Installer(install_client(client), repository, tmp_path, record_row)

    return create


@pytest.fixture
def uploads(
    uploader: Uploader,
    install_client: Callable[[Client], InstalledClient],
    tmp_path: Path,
    cloudrepo_package: PackageFactory,
    record_row: RecordRow,
) -> UploadRunner:
    """The uploader that the test's parameter `uploader` names."""
    return UploadRunner(
        uploader, install_client(uploader.client), tmp_path, cloudrepo_package, record_row
    )


@pytest.fixture
def published(uploads: UploadRunner, cloudrepo: Repository) -> dict[str, bytes]:
    """The files of demo 1.0, which the repository already contains."""
    return uploads.publish(cloudrepo)
