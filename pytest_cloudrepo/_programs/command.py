"""Run a program and wait until it exits. Only this module starts subprocesses of a test."""

from __future__ import annotations

import locale
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Protocol

import psutil

from pytest_cloudrepo import _paths
from pytest_cloudrepo._programs.masking import mask, mask_urls
from pytest_cloudrepo._programs.preloaded_tools import PRELOADED
from pytest_cloudrepo._programs.program_name import program_name
from pytest_cloudrepo._programs.result import (
    CommandError,
    CommandResult,
    CommandTimeout,
    command_line,
    plain_text,
)
from pytest_cloudrepo._programs.secret import ISSUED, Secret, secret_in_url
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_cloudrepo._paths import StrPath


class _Process(Protocol):
    """A program, as a separate process or as a fork of a preloaded tool."""

    @property
    def pid(self) -> int: ...

    def wait(self) -> int: ...

    def kill(self) -> None: ...


def run(
    arguments: Sequence[StrPath],
    *,
    environ: Mapping[str, str],
    cwd: StrPath | None = None,
    timeout: float,
    check: bool = True,
    secrets: Sequence[str] = (),
) -> CommandResult:
    """Run a program with an empty standard input, wait until it exits, and return its result.

    Args:
        arguments: the program and its arguments. A program name without a folder is looked up
            on the PATH of `environ`.
        environ: the complete environment of the program.
        cwd: the program's working directory. By default the current one.
        timeout: the seconds after which the program and all its descendants are stopped.
        check: whether to raise an exception if the exit status is not 0.
        secrets: texts to mask in the result and in errors, also in encoded form. The secrets of
            the whole session are masked too.

    Raises:
        CommandError: the program failed.
        CommandTimeout: the program timed out.
        CloudRepoError: the program could not be started.
    """
    __tracebackhide__ = True
    # `os.fspath` returns strings unchanged, such as a `Secret`, which a traceback does not show.
    words = [os.fspath(argument) for argument in arguments]
    folder = None if cwd is None else _paths.one_path(cwd)
    secrets = [*ISSUED, *secrets, *map(_secret_of, filter(_is_secret, words))]
    # Files instead of pipes: a daemon that the program leaves behind would keep a pipe open.
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        process: _Process = PRELOADED.start(
            words, environ=environ, cwd=folder, stdout=stdout, stderr=stderr
        ) or _start(words, environ=environ, cwd=folder, stdout=stdout, stderr=stderr)
        exited_in_time = _wait(process, timeout)
        result = CommandResult(
            args=tuple(mask_urls(mask(word, secrets)) for word in words),
            returncode=process.wait(),
            stdout=mask(_read(stdout), secrets),
            stderr=mask(_read(stderr), secrets),
        )
    if not exited_in_time:
        raise CommandTimeout(
            f"{program_name(result.args)} timed out after {timeout:g} seconds and was stopped\n"
            f"{command_line(result.args)}\n"
            f"{plain_text(result.output).strip() or '(no output)'}"
        )
    if check and not result.ok:
        raise CommandError(result)
    return result


def _start(
    words: list[str],
    *,
    environ: Mapping[str, str],
    cwd: Path | None,
    stdout: IO[bytes],
    stderr: IO[bytes],
) -> subprocess.Popen[bytes]:
    program, *rest = words
    environ = by_name(environ)
    if os.path.dirname(program):  # noqa: PTH120 - Path("./x") drops the folder
        executable: str | None = program
    else:
        # Windows itself would search the PATH of this process, and for .exe files only.
        executable = shutil.which(program, path=environ.get("PATH", os.defpath))
    if executable is None:
        hint = "; pass the program and its arguments as separate strings" if " " in program else ""
        raise CloudRepoError(f"program {program!r} not found on the PATH{hint}")
    try:
        return subprocess.Popen(  # noqa: S603 - the test chooses the program
            [executable, *rest],
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            # In a process group of its own, the program can be stopped with all its descendants.
            # On Windows psutil finds the descendants. A new group there would keep Ctrl-C from the
            # program, and Ctrl-C cannot interrupt `process.wait()`.
            start_new_session=sys.platform != "win32",
        )
    except (OSError, ValueError) as error:
        if cwd is not None and not cwd.is_dir():
            raise CloudRepoError(f"cannot start {program} in {cwd}: no such folder") from None
        reason = getattr(error, "strerror", None) or error
        raise CloudRepoError(f"cannot start {program}: {reason}") from None


def by_name(environ: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of an environment in which each variable has one name.

    On Windows, `Path` and `PATH` are the same variable; the later one in `environ` counts.
    """
    if sys.platform == "win32":
        return {name.upper(): value for name, value in environ.items()}
    else:  # noqa: RET505 - mypy checks only one of the branches
        return dict(environ)


def _wait(process: _Process, timeout: float) -> bool:
    """Wait until the program exits; return False if it timed out and was stopped."""
    expired = threading.Event()

    def stop() -> None:
        expired.set()
        _kill_tree(process)

    # `process.wait` polls if it has a timeout, at intervals of up to 50 ms.
    timer = threading.Timer(timeout, stop)
    timer.daemon = True
    timer.start()
    try:
        process.wait()
    except BaseException:
        _kill_tree(process)
        process.wait()
        raise
    finally:
        timer.cancel()
    return not expired.is_set()


def _kill_tree(process: _Process) -> None:
    """Kill a program and all its descendants."""
    descendants: list[psutil.Process] = []
    with suppress(psutil.Error):
        descendants = psutil.Process(process.pid).children(recursive=True)
    if sys.platform != "win32":
        # A descendant whose parent exited is not found by psutil, but is still in the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    for descendant in descendants:
        with suppress(psutil.Error):
            descendant.kill()


def _is_secret(word: str) -> bool:
    return isinstance(word, Secret)


def _secret_of(word: str) -> str:
    """Return the secret if the word is a URL with a secret, or else the word."""
    return secret_in_url(word) or word


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return _decode(file.read()).replace("\r\n", "\n")


def _decode(output: bytes) -> str:
    encoding = "utf-8"
    if sys.platform == "win32":
        # Some programs on Windows write in its own encoding. Secrets must be found in it, too.
        try:
            output.decode()
        except UnicodeDecodeError:
            encoding = locale.getencoding()
    return output.decode(encoding, "replace")
