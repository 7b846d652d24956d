"""The pytest plugin: hooks, options, the marker and the fixtures; translation only, no logic."""

from __future__ import annotations

import os
import shutil
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from pytest_cloudrepo._options import Options, read, register
from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo._server import process
from pytest_cloudrepo.errors import CloudRepoError
from pytest_cloudrepo.settings import checked

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Unpack

    from pytest_cloudrepo._programs.environment import Environment
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.factories import ProjectFactory, RepositoryFactory, VirtualEnvFactory
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.project import Project
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.settings import RepositorySettings
    from pytest_cloudrepo.venv import VirtualEnv

MARKER = (
    "cloudrepo(*, overwrite_protection=False, dialect='modern', ...): the settings of the test's "
    "`cloudrepo` repository; the closest marker wins."
)


OPTIONS = pytest.StashKey[Options]()
RUN = pytest.StashKey[process.Run]()
REPOSITORIES = pytest.StashKey["list[Repository]"]()
FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options and ini keys."""
    register(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, read the options, and name the run or learn its name."""
    config.addinivalue_line("markers", MARKER)
    config.stash[OPTIONS] = read(config)
    shared = getattr(config, "workerinput", {}).get("cloudrepo")
    config.stash[RUN] = process.Run.inherited(shared) if shared else process.Run.new()


@pytest.hookimpl(optionalhook=True)  # pytest-xdist may be absent
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - pytest-xdist's WorkerController
    """Tell a worker which run it belongs to."""
    run = node.config.stash[RUN]
    process.join(run, node.config)
    node.workerinput["cloudrepo"] = run.shared()


@pytest.hookimpl(trylast=True)  # after pytest-xdist has ended its workers
def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the run's server."""
    run = config.stash.get(RUN, None)
    # Not in a worker, nor in a copy of this process that a test forked and let go.
    if run is not None and run.owner == os.getpid():
        process.end(run, keep=config.stash[OPTIONS].keep)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Start the server while the rest is collected, unless this test may be deselected yet."""
    selecting = ("keyword", "markexpr", "deselect", "lf")
    if _asks(item) and not any(item.config.getoption(name, None) for name in selecting):
        _foresee(item.config)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the server if a selected test will ask for it."""
    if any(map(_asks, session.items)):
        _foresee(session.config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is configured."""
    options = config.stash[OPTIONS]
    said = []
    if options.url:
        said.append(f"server {options.url}")
    if options.keep:
        said.append("the server stays after the run")
    if options.overwrite_protection:
        said.append("overwrite protection on (ini)")
    if not said and config.get_verbosity() > 0:
        said.append("a server of this run's own, started for the first test that asks for it")
    return f"cloudrepo: {', '.join(said)}" if said else None


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say where the server that stays is."""
    folder = config.stash[RUN].folder
    if not config.stash[OPTIONS].keep or folder is None:
        return
    state = folder.state()
    if state is None or folder.server() is None:
        return
    terminalreporter.section("cloudrepo: the server stays")
    terminalreporter.line(f"URL: {state.url}")
    terminalreporter.line(f"admin login: {state.username} {state.password}")
    terminalreporter.line(f"to stop it: {process.stop_command(state.pid)}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker that says what no repository can be told."""
    marker = item.get_closest_marker("cloudrepo")
    if marker is None:
        return
    if marker.args:
        pytest.fail("the marker cloudrepo takes keyword arguments only", pytrace=False)
    try:
        checked(marker.kwargs)
    except TypeError as error:
        pytest.fail(f"the marker cloudrepo: {error}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, where a test failed, what its repositories were asked and answered."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        repositories = item.stash.get(REPOSITORIES, [])
        if repositories:
            from pytest_cloudrepo._report import sections  # imports requests

            report.sections.extend(sections(repositories, item.config.stash[RUN].folder))
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Compare secrets without pytest's own explanation, which shows texts and their differences."""
    if isinstance(left, Secret) or isinstance(right, Secret):
        return [f"{left!r} {op} {right!r}"]
    return None


@pytest.fixture(scope="session")
def cloudrepo_server(
    request: pytest.FixtureRequest, _cloudrepo_folders: Iterator[Path]
) -> Iterator[Server]:
    """The run's index server: one for all tests, in all xdist workers."""
    options = request.config.stash[OPTIONS]
    try:
        server = _server(request.config, options, next(_cloudrepo_folders))
    except CloudRepoError as error:
        raise pytest.fail.Exception(f"cloudrepo: {error}", pytrace=False) from None
    yield server
    if options.url:
        server.discard_all()
    server.close()


@pytest.fixture
def cloudrepo(request: pytest.FixtureRequest, cloudrepo_factory: RepositoryFactory) -> Repository:
    """A new, empty repository of this test's own, with a login, as the marker says."""
    __tracebackhide__ = True
    marker = request.node.get_closest_marker("cloudrepo")
    return cloudrepo_factory(**(marker.kwargs if marker else {}))


@pytest.fixture
def cloudrepo_factory(
    request: pytest.FixtureRequest,
    cloudrepo_server: Server,
    _cloudrepo_environment: Environment,
) -> Iterator[RepositoryFactory]:
    """Makes repositories as `cloudrepo` is one, with the settings that the call gives."""
    from pytest_cloudrepo.client import unique  # imports requests

    options = request.config.stash[OPTIONS]
    made = request.node.stash.setdefault(REPOSITORIES, [])

    def factory(**settings: Unpack[RepositorySettings]) -> Repository:
        __tracebackhide__ = True
        settings.setdefault("overwrite_protection", options.overwrite_protection)
        repository = cloudrepo_server.create_repository(
            unique(request.node.name), environment=_cloudrepo_environment, **settings
        )
        made.append(repository)
        return repository

    yield factory
    if options.url:
        for repository in made:
            cloudrepo_server.discard(repository)


@pytest.fixture
def cloudrepo_project(
    request: pytest.FixtureRequest, _cloudrepo_folder: Path, _cloudrepo_environment: Environment
) -> ProjectFactory:
    """Makes source trees, which `build` builds."""
    from pytest_cloudrepo.project import Project as Made  # only where it is used

    numbers = count()

    def factory(
        name: str,
        version: str,
        *,
        files: Mapping[str, str | bytes] | None = None,
        requires: Sequence[str] = (),
        setup_py: bool = False,
    ) -> Project:
        __tracebackhide__ = True
        return Made(
            _cloudrepo_folder / f"project-{next(numbers)}",
            name,
            version,
            files=files,
            requires=requires,
            setup_py=setup_py,
            environ=_cloudrepo_environment.scrubbed(),
            timeout=request.config.stash[OPTIONS].command_timeout,
        )

    return factory


@pytest.fixture
def cloudrepo_package(_cloudrepo_folder: Path) -> PackageFactory:
    """Writes wheels and sdists without a build."""
    from pytest_cloudrepo.package import PackageFactory as Made

    return Made(_cloudrepo_folder / "packages")


@pytest.fixture
def cloudrepo_venv(cloudrepo_venv_factory: VirtualEnvFactory) -> VirtualEnv:
    """A virtual environment of this test's own."""
    __tracebackhide__ = True
    return cloudrepo_venv_factory()


@pytest.fixture
def cloudrepo_venv_factory(
    request: pytest.FixtureRequest,
    _cloudrepo_folder: Path,
    _cloudrepo_environment: Environment,
    _cloudrepo_app_data: Path,
) -> VirtualEnvFactory:
    """Makes virtual environments, of this or another Python, with or without pip."""
    from pytest_cloudrepo.venv import VirtualEnv as Made  # only where it is used

    numbers = count()

    def factory(*, python: str | Path | None = None, pip: bool = True) -> VirtualEnv:
        __tracebackhide__ = True
        return Made(
            _cloudrepo_folder / f"venv-{next(numbers)}",
            python=python,
            pip=pip,
            environment=_cloudrepo_environment,
            app_data=_cloudrepo_app_data,
            timeout=request.config.stash[OPTIONS].command_timeout,
        )

    return factory


@pytest.fixture(scope="session")
def _cloudrepo_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for each test in turn, not made yet: many tests need none."""
    folder = tmp_path_factory.mktemp("cloudrepo")
    return (folder / str(number) for number in count())


@pytest.fixture
def _cloudrepo_folder(
    request: pytest.FixtureRequest, _cloudrepo_folders: Iterator[Path]
) -> Iterator[Path]:
    """The test's own folder for what the fixtures make; it stays where the test failed."""
    folder = next(_cloudrepo_folders)
    yield folder
    if folder.exists() and not request.node.stash.get(FAILED, False):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def _cloudrepo_environment(_cloudrepo_folder: Path) -> Environment:
    """What the test's programs see of the machine."""
    from pytest_cloudrepo._programs.environment import Environment as Made

    return Made(_cloudrepo_folder / "environment")


@pytest.fixture(scope="session")
def _cloudrepo_app_data(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Where virtualenv keeps what all environments of the run are made from."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # the one folder that all workers of a run share
    return folder / "cloudrepo-virtualenv"


def _asks(item: pytest.Item) -> bool:
    return "cloudrepo_server" in getattr(item, "fixturenames", ())


def _foresee(config: pytest.Config) -> None:
    options = config.stash[OPTIONS]
    if not options.url and not config.getoption("collectonly"):
        process.foresee(config.stash[RUN], config, keep=options.keep)


def _server(config: pytest.Config, options: Options, folder: Path) -> Server:
    if options.url:
        from pytest_cloudrepo.client import Server  # imports requests
        from pytest_cloudrepo.credentials import login_from_environment

        url, login = options.url, login_from_environment()
    else:
        run_folder = process.begin(config.stash[RUN], config, keep=options.keep)
        # While the server starts, since the import takes as long.
        from pytest_cloudrepo.client import Server  # imports requests

        state = process.wait_until_ready(run_folder, options.startup_timeout)
        url, login = state.url, (state.username, state.password)
    server = Server(
        url,
        *login,
        folder=folder,
        command_timeout=options.command_timeout,
        run=config.stash[RUN].name,
    )
    if options.url:
        server.check()
    return server
