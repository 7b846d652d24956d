"""The pytest plugin: its hooks, options, marker and fixtures.

This module only connects pytest with the rest of the package. pytest imports it in every project
in which the plugin is installed. So it imports what a fixture needs only when a test uses the
fixture.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo import _preload, settings
from pytest_cloudrepo._options import Options, add_options, read_options
from pytest_cloudrepo._programs.secret import ISSUED, Secret
from pytest_cloudrepo._removal import remove_folder
from pytest_cloudrepo._repository_tracker import RepositoryTracker
from pytest_cloudrepo._server.process import RunServer
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    import warnings
    from collections.abc import Generator, Iterator
    from pathlib import Path
    from typing import Protocol

    from pytest_cloudrepo._programs.environment import Environment
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.factories import (
        ProjectFactory,
        RepositoryFactory,
        SessionFactories,
        VirtualEnvFactory,
    )
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.venv import VirtualEnv

    class WorkerController(Protocol):
        """pytest-xdist's class of this name, which has no type annotations."""

        config: pytest.Config
        workerinput: dict[str, object]


_OPTIONS = pytest.StashKey[Options]()
_RUN_SERVER = pytest.StashKey[RunServer]()
_REPOSITORIES = pytest.StashKey["list[Repository]"]()
_REPOSITORY_TRACKER = pytest.StashKey[RepositoryTracker]()
_FAILED = pytest.StashKey[bool]()

# Options that deselect tests after they were collected.
_SELECTING_OPTIONS = ("keyword", "markexpr", "deselect", "lf")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options and ini keys."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, read the options, and describe the session's server."""
    config.addinivalue_line("markers", settings.marker_help())
    options = config.stash[_OPTIONS] = read_options(config)
    config.stash[_RUN_SERVER] = RunServer.for_process(config, keep=options.keep)
    _preload.configure(config, enabled=options.preload_tools)
    tracker = config.stash[_REPOSITORY_TRACKER] = RepositoryTracker()
    config.pluginmanager.register(tracker, "cloudrepo-repository-tracker")


@pytest.hookimpl(optionalhook=True)  # pytest-xdist may not be installed
def pytest_configure_node(node: WorkerController) -> None:
    """Tell a pytest-xdist worker which server its session has."""
    run_server = node.config.stash[_RUN_SERVER]
    run_server.attach()
    node.workerinput["cloudrepo"] = run_server.worker_input()


@pytest.hookimpl(trylast=True)  # after pytest-xdist has stopped its workers
def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the session's server."""
    run_server = config.stash.get(_RUN_SERVER, None)
    if run_server is not None:
        run_server.stop()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Start the server if this test needs it, unless an option may still deselect the test."""
    config = item.config
    if _needs_server(item) and not any(config.getoption(name, None) for name in _SELECTING_OPTIONS):
        _prestart(config)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the server if a selected test needs it."""
    if any(map(_needs_server, session.items)):
        _prestart(session.config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return the line about the options that are set, or None."""
    options = config.stash[_OPTIONS]
    parts = []
    if options.url:
        parts.append(f"server {options.url}")
    if options.keep:
        parts.append("the server keeps running after the tests")
    if options.overwrite_protection:
        parts.append("overwrite protection on (ini)")
    if not parts and config.get_verbosity() > 0:
        parts.append("one index server for this session, if a test needs it")
    return f"cloudrepo: {', '.join(parts)}" if parts else None


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the failed tests, the login and how to stop the server, if the server keeps running."""
    state = config.stash[_RUN_SERVER].kept()
    if state is not None:
        from pytest_cloudrepo._kept_server import write_summary  # imports requests

        write_summary(terminalreporter, state)


@pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_terminal_summary")
def pytest_terminal_summary_in_colour(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """Colour the requests in the reports of failed tests while the terminal shows them."""
    if not terminalreporter.hasmarkup:
        return (yield)
    from pytest_cloudrepo._report import in_colour  # imports requests

    with in_colour(terminalreporter):
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose marker is invalid."""
    marker = item.get_closest_marker("cloudrepo")
    if marker is None:
        return
    try:
        settings.check_marker(marker.args, marker.kwargs)
    except TypeError as error:
        from pytest_cloudrepo._marker_line import marker_line  # few markers are invalid

        place = marker_line(item, marker)
        pytest.fail(f"{place}: invalid marker cloudrepo: {error}", pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # so that the report of other plugins is masked too
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the requests to a failed test's repositories to the report, and mask its secrets."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
        tracked = item.config.stash[_REPOSITORY_TRACKER].of_test
        repositories = list(dict.fromkeys([*item.stash.get(_REPOSITORIES, []), *tracked]))
        if repositories:
            from pytest_cloudrepo._report import name_failed_program, report_sections

            folder = item.config.stash[_RUN_SERVER].folder
            report.sections.extend(report_sections(repositories, folder, since=tracked))
            name_failed_program(report)
    kept = item.stash.get(_REPOSITORIES, []) if item.config.stash[_OPTIONS].keep else []
    if kept:
        from pytest_cloudrepo._kept_server import record_phase

        record_phase(item, report, kept)
    if ISSUED and (
        report.longrepr or report.sections or report.user_properties or hasattr(report, "wasxfail")
    ):
        from pytest_cloudrepo._programs.masking import mask_report

        mask_report(report, ISSUED)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    """Mask the secrets in a warning before the summary of warnings shows it."""
    if ISSUED:
        from pytest_cloudrepo._programs.masking import mask_warning

        mask_warning(warning_message, ISSUED)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain a failed comparison without the secrets, which pytest's explanation contains."""
    if isinstance(left, Secret) or isinstance(right, Secret):
        return [f"{left!r} {op} {right!r}"]
    return None


@pytest.fixture(scope="session")
def cloudrepo_server(
    request: pytest.FixtureRequest, _cloudrepo_folders: Iterator[Path]
) -> Iterator[Server]:
    """The index server of the pytest session, shared by all tests and pytest-xdist workers."""
    from pytest_cloudrepo._server.connect import connect

    options = request.config.stash[_OPTIONS]
    try:
        server = connect(request.config.stash[_RUN_SERVER], options, next(_cloudrepo_folders))
    except CloudRepoError as error:
        raise pytest.fail.Exception(f"cloudrepo: {error}", pytrace=False) from None
    server.observers.append(request.config.stash[_REPOSITORY_TRACKER].add)
    yield server
    if options.url:
        server.discard_all()
    server.close()


@pytest.fixture
def cloudrepo(request: pytest.FixtureRequest, cloudrepo_factory: RepositoryFactory) -> Repository:
    """A new, empty, private repository with credentials; the marker gives its settings."""
    __tracebackhide__ = True
    marker = request.node.get_closest_marker("cloudrepo")
    return cloudrepo_factory(**(marker.kwargs if marker else {}))


@pytest.fixture
def cloudrepo_factory(
    request: pytest.FixtureRequest,
    cloudrepo_server: Server,
    _cloudrepo_environment: Environment,
) -> Iterator[RepositoryFactory]:
    """Creates further repositories, with the settings of each call."""
    from pytest_cloudrepo.factories import RepositoryFactory

    options = request.config.stash[_OPTIONS]
    repositories: list[Repository] = []
    request.node.stash[_REPOSITORIES] = repositories
    yield RepositoryFactory(
        cloudrepo_server,
        _cloudrepo_environment,
        creator=lambda: request.node.name,
        add=repositories.append,
        overwrite_protection=options.overwrite_protection,
    )
    if options.url:
        for repository in repositories:
            cloudrepo_server.discard(repository)


@pytest.fixture
def cloudrepo_project(
    request: pytest.FixtureRequest, _cloudrepo_folder: Path, _cloudrepo_environment: Environment
) -> ProjectFactory:
    """Creates source trees that `build` can build."""
    from pytest_cloudrepo.factories import ProjectFactory

    timeout = request.config.stash[_OPTIONS].command_timeout
    return ProjectFactory(_cloudrepo_folder, _cloudrepo_environment, command_timeout=timeout)


@pytest.fixture
def cloudrepo_package(_cloudrepo_folder: Path) -> PackageFactory:
    """Writes wheels and sdists in milliseconds, without running a build."""
    from pytest_cloudrepo.package import PackageFactory

    return PackageFactory(_cloudrepo_folder / "packages")


@pytest.fixture
def cloudrepo_venv(cloudrepo_venv_factory: VirtualEnvFactory) -> VirtualEnv:
    """A new virtual environment with pip."""
    __tracebackhide__ = True
    return cloudrepo_venv_factory()


@pytest.fixture
def cloudrepo_venv_factory(
    request: pytest.FixtureRequest,
    _cloudrepo_folder: Path,
    _cloudrepo_environment: Environment,
    _cloudrepo_app_data: Path,
) -> VirtualEnvFactory:
    """Creates virtual environments, of any installed Python, with or without pip."""
    from pytest_cloudrepo.factories import VirtualEnvFactory

    options = request.config.stash[_OPTIONS]
    return VirtualEnvFactory(
        _cloudrepo_folder,
        _cloudrepo_environment,
        app_data=_cloudrepo_app_data,
        cache=options.template_cache(),
        command_timeout=options.command_timeout,
    )


@pytest.fixture(scope="session")
def cloudrepo_session(
    request: pytest.FixtureRequest,
    cloudrepo_server: Server,
    _cloudrepo_folders: Iterator[Path],
    _cloudrepo_app_data: Path,
) -> Iterator[SessionFactories]:
    """Creates repositories, projects, packages and environments that live until the session ends.

    Each pytest-xdist worker has its own factories.
    """
    from pytest_cloudrepo.factories import session_factories

    options = request.config.stash[_OPTIONS]
    folder = next(_cloudrepo_folders)
    factories = session_factories(
        cloudrepo_server,
        options,
        folder,
        app_data=_cloudrepo_app_data,
        creator=request.config.stash[_REPOSITORY_TRACKER].creator,
    )
    yield factories
    if options.url:
        factories.shared_repository.close()
    if folder.exists() and not request.session.testsfailed:
        remove_folder(folder)


@pytest.fixture(scope="session")
def _cloudrepo_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths of folders for the tests. A folder is created when needed: many tests need none."""
    folder = tmp_path_factory.mktemp("cloudrepo")
    return (folder / str(number) for number in count())


@pytest.fixture
def _cloudrepo_folder(
    request: pytest.FixtureRequest, _cloudrepo_folders: Iterator[Path]
) -> Iterator[Path]:
    """The folder for the files of the test's fixtures; it is kept if the test fails."""
    folder = next(_cloudrepo_folders)
    yield folder
    if folder.exists() and not request.node.stash.get(_FAILED, False):
        remove_folder(folder)


@pytest.fixture
def _cloudrepo_environment(_cloudrepo_folder: Path) -> Environment:
    """The environment variables of the test's subprocesses."""
    from pytest_cloudrepo._programs.environment import Environment

    return Environment(_cloudrepo_folder / "environment")


@pytest.fixture(scope="session")
def _cloudrepo_app_data(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder for the templates that all virtual environments are copied from."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # the folder that all pytest-xdist workers share
    return folder / "cloudrepo-virtualenv"


def _needs_server(item: pytest.Item) -> bool:
    return "cloudrepo_server" in getattr(item, "fixturenames", ())


def _prestart(config: pytest.Config) -> None:
    if not config.stash[_OPTIONS].url and not config.getoption("collectonly"):
        config.stash[_RUN_SERVER].prestart()
