"""The command `cloudrepo-server run`: run another command with a new package index."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudrepo_server.cli import child_process, repository_settings
from cloudrepo_server.cli.event_loop import run_in_event_loop
from cloudrepo_server.cli.terminal import print_error
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.process.imports import fast_imports
from cloudrepo_server.process.signals import handle_signal

if TYPE_CHECKING:
    from cloudrepo_server.clients import Connection
    from cloudrepo_server.process.server import RunningServer

EXAMPLES = (
    "run -- tox",
    "run --overwrite-protection -- twine upload dist/*",
    "run --dependencies pypi --setting dialect=pypi -- tox",
)


@dataclass(frozen=True, slots=True)
class _Command:
    arguments: Sequence[str]
    repository: str
    settings: Mapping[str, Any]
    inherit_env: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    # argparse itself would show "COMMAND [COMMAND ...]", as if several commands could run.
    parser.usage = "%(prog)s [options] -- COMMAND [ARGUMENT ...]"
    add = parser.add_argument
    add(
        "--repository",
        default="default",
        metavar="NAME",
        help="name of the repository (default: default)",
    )
    add(
        "--overwrite-protection",
        action="append_const",
        dest="settings",
        const=("overwrite_protection", True),
        help="reject uploads that would replace an existing file",
    )
    add(
        "--setting",
        action="append",
        dest="settings",
        type=repository_settings.setting,
        metavar="SETTING=VALUE",
        help="a setting of the repository, such as dialect=pypi; can be repeated",
    )
    repository_settings.add_dependencies(
        parser,
        content="those that the command installs besides its own uploads",
        default="the repository has only what the command uploads",
    )
    add(
        "--inherit-env",
        action="store_true",
        help="keep your own configuration of tools, such as PIP_EXTRA_INDEX_URL, pip.conf and "
        ".netrc (default: hide it from the command, which gets an empty home folder)",
    )
    add(
        "command",
        nargs="+",
        metavar="COMMAND",
        help="the command to run, with its arguments",
    )


def run(parsed: argparse.Namespace) -> int:
    """Run the command that the arguments name, and return its exit status.

    Raises:
        CloudRepoServerError: the server cannot start, or the name of the repository is not valid.
    """
    # Log errors only, so that the server's log does not mix with the output of the command.
    logging.getLogger().setLevel(logging.ERROR)
    command = _Command(
        parsed.command,
        repository=parsed.repository,
        settings=_settings(parsed),
        inherit_env=parsed.inherit_env,
    )
    return run_in_event_loop(_run_with_server(command))


def _settings(parsed: argparse.Namespace) -> dict[str, Any]:
    settings = repository_settings.valid_settings(parsed.settings or ())
    if parsed.dependencies is None:
        return settings
    if "upstream" in settings:
        raise InvalidError(
            "--dependencies names the upstream of the repository: leave out --setting upstream"
        )
    return repository_settings.dependency_settings(parsed.dependencies) | settings


async def _run_with_server(command: _Command) -> int:
    # Imported here because the parser does not need the HTTP server.
    with fast_imports():
        from cloudrepo_server.process.server import running_server
        from cloudrepo_server.process.settings import ServerSettings

    signals = _Signals()
    signals.handle()
    async with running_server(ServerSettings()) as server:
        connection = await _create_repository(server, command)
        # A program that the command left running may still write to the folder.
        with tempfile.TemporaryDirectory(prefix="cloudrepo-", ignore_cleanup_errors=True) as folder:
            home = None if command.inherit_env else Path(folder)
            environ = _environment(connection, home)
            return await _run_command(command.arguments, environ, signals)


async def _run_command(arguments: Sequence[str], environ: dict[str, str], signals: _Signals) -> int:
    if signals.received is not None:
        return child_process.KILLED_BY_SIGNAL + signals.received
    try:
        process = await child_process.start(arguments, environ)
    except child_process.CannotStartError as error:
        print_error(error)
        return error.status
    signals.pass_on_to(process)
    return child_process.exit_status(await process.wait())


async def _create_repository(server: RunningServer, command: _Command) -> Connection:
    from cloudrepo_server.clients import Connection

    repository = await server.organization.create_repository(command.repository, **command.settings)
    email = f"{secrets.token_hex(4)}@example.com"
    _, passphrase = await server.organization.users.create(email)
    url = f"{server.url}/repositories/{repository.name}"
    return Connection(url, repository.name, email, passphrase or "")


def _environment(connection: Connection, folder: Path | None) -> dict[str, str]:
    """Return the environment of the command, with every tool configured for the repository.

    Args:
        connection: the repository, with the credentials of a user.
        folder: an empty folder that replaces the user's home folder and configuration of tools;
            None if the command keeps them.
    """
    from cloudrepo_server import clients

    settings = clients.all_variables(connection)
    if folder is None:
        environ = os.environ | settings
    else:
        from cloudrepo_server.cli.clean_environment import clean_environment, create_home

        home = create_home(folder)
        environ = clients.without_index(clean_environment(home), home)
        environ = clients.configured(environ, settings)
    return environ | {
        "CLOUDREPO_URL": connection.url,
        "CLOUDREPO_USERNAME": connection.username,
        "CLOUDREPO_PASSWORD": connection.password,
    }


class _Signals:
    """The signals that this process receives and passes on to the command.

    Attributes:
        received: a signal that arrived before the command was started, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._process: asyncio.subprocess.Process | None = None

    def handle(self) -> None:
        """Handle signals from now on, so that none of them leaves temporary files behind."""
        handlers = {signal.SIGTERM: self._pass_on, signal.SIGINT: self._ignore}
        if sys.platform != "win32":
            handlers |= {signal.SIGHUP: self._pass_on, signal.SIGQUIT: self._ignore}
        for number, handler in handlers.items():
            # `nohup` makes processes ignore SIGHUP.
            if signal.getsignal(number) is not signal.SIG_IGN:
                handle_signal(number, partial(handler, number))

    def pass_on_to(self, process: asyncio.subprocess.Process) -> None:
        """Pass signals on to the command, including one that arrived before it was started."""
        self._process = process
        if self.received is not None:
            self._pass_on(self.received)

    def _pass_on(self, number: int) -> None:
        if self._process is None:
            self.received = number
        elif self._process.returncode is None:
            self._process.send_signal(number)

    def _ignore(self, _: int) -> None:
        """Ignore SIGINT and SIGQUIT, because the terminal sends them to the command too."""
