"""Runs the programs of a rehearsal, and kills the processes that they leave running."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from cloudrepo_server.cli import child_process
from cloudrepo_server.cli.rehearsal.interruption import Interruption

_GRACE_SECONDS = 10.0


async def run_program(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    interruption: Interruption,
    *,
    stdin: int | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    cwd: Path | None = None,
) -> int:
    """Run a program, kill the processes that it leaves running, and return its exit status.

    An interruption is forwarded to the program, which is killed if it does not end within seconds.

    Args:
        arguments: the program and its arguments.
        environ: its environment.
        interruption: ends the program early.
        stdin: its standard input; by default that of this process.
        stdout: its standard output; by default that of this process.
        stderr: its standard error; by default that of this process.
        cwd: its working directory; by default that of this process.

    Raises:
        CannotStartError: the program does not exist or cannot be executed.
    """
    # In a session of its own, the program can be stopped with its descendants. A terminal sends
    # Ctrl-C to this process only, which forwards it.
    process = await child_process.start(
        arguments, environ, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, new_session=True
    )
    exited = asyncio.ensure_future(process.wait())
    try:
        await _first(exited, interruption.requested)
        if not exited.done():
            _send(process, interruption.signal or signal.SIGTERM)
            await _first(exited, interruption.immediate, seconds=_GRACE_SECONDS)
    finally:
        _kill_group(process)
        returncode = await exited
    return child_process.exit_status(returncode)


async def _first(
    exited: asyncio.Future[int], event: asyncio.Event, *, seconds: float | None = None
) -> None:
    waiting = asyncio.ensure_future(event.wait())
    pending: set[asyncio.Future[Any]] = {exited, waiting}
    try:
        await asyncio.wait(pending, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)


def _kill_group(process: asyncio.subprocess.Process) -> None:
    if sys.platform != "win32":
        # On macOS a group of zombies cannot be signalled.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.returncode is None:
        # Imported here because it is slow.
        import psutil

        with contextlib.suppress(psutil.Error):
            for descendant in psutil.Process(process.pid).children(recursive=True):
                descendant.kill()
        process.kill()
