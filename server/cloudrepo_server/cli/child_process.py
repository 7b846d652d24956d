"""Starts other programs, and reports their exit statuses as a shell does."""

import asyncio
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from cloudrepo_server.errors import CloudRepoServerError

# The exit statuses that shells use.
_NOT_FOUND = 127
_CANNOT_RUN = 126
KILLED_BY_SIGNAL = 128
"""The exit status of a command that was killed by a signal, without the signal's number."""


class CannotStartError(CloudRepoServerError):
    """A command cannot be started; `status` is the exit status that a shell would return."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def start(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    stdin: int | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    cwd: Path | None = None,
    new_session: bool = False,
) -> asyncio.subprocess.Process:
    """Start a command, and return its process.

    Args:
        arguments: the program and its arguments.
        environ: its environment, whose PATH is searched for the program.
        stdin: its standard input; by default that of this process.
        stdout: its standard output; by default that of this process.
        stderr: its standard error; by default that of this process.
        cwd: its working directory; by default that of this process.
        new_session: whether it leads a new session, which Windows does not have.

    Raises:
        CannotStartError: the program does not exist or cannot be executed.
    """
    program, *rest = arguments
    if sys.platform == "win32":
        # Windows itself would search the PATH of this process, and for .exe files only.
        program = shutil.which(program, path=environ.get("PATH")) or program
    try:
        return await asyncio.create_subprocess_exec(
            program,
            *rest,
            env=environ,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            start_new_session=new_session and sys.platform != "win32",
        )
    except OSError as error:
        status = _NOT_FOUND if isinstance(error, FileNotFoundError) else _CANNOT_RUN
        raise CannotStartError(f"cannot start {arguments[0]}: {error.strerror}", status) from None


def exit_status(returncode: int) -> int:
    """Return the exit status with which a shell reports how a process ended."""
    return returncode if returncode >= 0 else KILLED_BY_SIGNAL - returncode
