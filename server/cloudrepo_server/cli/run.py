"""One command's life beside a server of its own."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cloudrepo_server import clients
from cloudrepo_server.clients import Connection
from cloudrepo_server.process.server import Answering, Settings, answering

# As shells have it.
_NOT_STARTED = 127
_KILLED = 128


@dataclass(frozen=True, slots=True)
class Command:
    """What `cloudrepo-server run` was told."""

    arguments: Sequence[str]
    repository: str = "default"
    overwrite_protection: bool = False


async def run(command: Command, settings: Settings) -> int:
    """Run a command with every tool pointed at a new repository; the command's exit status.

    Raises:
        CloudRepoServerError: the repository cannot be made.
    """
    async with answering(settings) as server:
        connection = await _connect(server, command)
        try:
            process = await asyncio.create_subprocess_exec(
                *command.arguments, env=environment(connection)
            )
        except OSError as error:
            print(
                f"cloudrepo-server: cannot start {command.arguments[0]}: {error.strerror}",
                file=sys.stderr,
            )
            return _NOT_STARTED
        _pass_on_signals(process)
        status = await process.wait()
    return status if status >= 0 else _KILLED - status


def environment(connection: Connection) -> dict[str, str]:
    """This process's environment with every tool pointed at the repository."""
    environ = dict(os.environ)
    for tool in clients.TOOLS:
        environ |= clients.variables(tool, connection)
    return environ | {
        "CLOUDREPO_URL": connection.url,
        "CLOUDREPO_USERNAME": connection.username,
        "CLOUDREPO_PASSWORD": connection.password,
    }


async def _connect(server: Answering, command: Command) -> Connection:
    repository = await server.organization.create_repository(
        command.repository, overwrite_protection=command.overwrite_protection
    )
    email = f"{secrets.token_hex(4)}@example.com"
    _, passphrase = await server.organization.users.create(email)
    url = f"{server.url}/repositories/{repository.name}"
    return Connection(url, repository.name, email, passphrase or "")


def _pass_on_signals(process: asyncio.subprocess.Process) -> None:
    loop = asyncio.get_running_loop()

    def terminate() -> None:
        if process.returncode is None:
            process.terminate()

    def leave() -> None:
        """A terminal's Ctrl-C reaches the command by itself; how that ends is for it to say."""

    for number, act in ((signal.SIGTERM, terminate), (signal.SIGINT, leave)):
        try:
            loop.add_signal_handler(number, act)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_, act=act: loop.call_soon_threadsafe(act))
