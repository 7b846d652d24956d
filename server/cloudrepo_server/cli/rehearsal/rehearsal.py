"""One rehearsal, from the start of its server to its report."""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudrepo_server.cli.child_process import KILLED_BY_SIGNAL
from cloudrepo_server.cli.rehearsal import requests
from cloudrepo_server.cli.rehearsal.index import RehearsedIndex, create_index
from cloudrepo_server.cli.rehearsal.interruption import Interruption
from cloudrepo_server.cli.rehearsal.program import run_program
from cloudrepo_server.cli.rehearsal.report import Rejection, Report, UploadedFile
from cloudrepo_server.cli.rehearsal.verification import verify_files
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.specs.identity_providers.specification import (
    PublisherSpecification,
    format_publisher,
)
from cloudrepo_server.testkit.journal import Entry

_TITLES = {"pypi": "PyPI", "testpypi": "TestPyPI"}
_FAILED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a rehearsal."""

    command: tuple[str, ...]
    index: str
    publisher: PublisherSpecification | None
    """The trusted publisher in whose CI job the command runs, or None."""
    dependencies: str | None
    """The URL of the index that has all other projects, or None."""
    is_output_separate: bool
    """Whether the output of the command goes to standard error, apart from the report."""


async def rehearse(options: Options, interruption: Interruption) -> Report:
    """Run a command that publishes a release, and return the report.

    Raises:
        CannotStartError: the command does not exist or cannot be executed.
        CloudRepoServerError: a library is missing, or an option is not valid.
    """
    # A program that the command left running may still write to the folder.
    with tempfile.TemporaryDirectory(prefix="cloudrepo-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        async with running_server(ServerSettings()) as server:
            index = await create_index(
                server,
                options.index,
                publisher=options.publisher,
                dependencies=options.dependencies,
            )

            def journal() -> list[Entry]:
                recorded = server.organization.testkit.recorded(index.repository.document.id)
                entries = [] if recorded is None else recorded.entries
                return [entry for entry in entries if entry.status is not None]

            status = await _run_command(options, index, folder, interruption)
            entries = journal()
            files = await verify_files(
                index,
                journal,
                _subfolder(folder, "verification"),
                interruption,
                with_dependencies=options.dependencies is not None,
            )
    return _report(options, status, entries, files, interruption)


async def _run_command(
    options: Options, index: RehearsedIndex, folder: Path, interruption: Interruption
) -> int:
    environ = index.publishing_environment(_subfolder(folder, "command"))
    sys.stdout.flush()
    return await run_program(
        options.command,
        environ,
        interruption,
        stdout=sys.stderr.fileno() if options.is_output_separate else None,
    )


def _subfolder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    return path


def _report(
    options: Options,
    status: int,
    entries: list[Entry],
    files: list[UploadedFile],
    interruption: Interruption,
) -> Report:
    rejections = requests.rejections(entries)
    uploaded_nothing = not files and not rejections
    exit_status = status
    if interruption.signal is not None:
        exit_status = status or KILLED_BY_SIGNAL + interruption.signal
    elif not status and not _succeeded(files, rejections):
        exit_status = _FAILED
    return Report(
        index=_TITLES[options.index],
        command=options.command,
        command_status=status,
        publisher=None if options.publisher is None else format_publisher(*options.publisher),
        signal=None if interruption.signal is None else interruption.signal.name,
        with_dependencies=options.dependencies is not None,
        files=tuple(files),
        rejections=rejections,
        blocked=requests.blocked(entries),
        requests=requests.others(entries) if uploaded_nothing else (),
        exit_status=exit_status,
    )


def _succeeded(files: Sequence[UploadedFile], rejections: Sequence[Rejection]) -> bool:
    failed = [file for file in files if file.installation.status == "failed"]
    return bool(files) and not failed and not rejections
