"""The one place that starts a program."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

import psutil

from pytest_cloudrepo._programs.result import CommandError, CommandResult, CommandTimeout, plain
from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A URL's password; it may hold a raw @, as the user's e-mail address before it does.
_PASSWORD_IN_URL: Final = re.compile(r"(://[^\s/:]*:)[^\s/]*(?=@)")


def run(
    arguments: Sequence[str | Path],
    *,
    environ: Mapping[str, str],
    cwd: str | Path | None = None,
    timeout: float,
    check: bool = True,
    secrets: Sequence[str] = (),
) -> CommandResult:
    """Run a program to its end, with nothing to read from.

    Args:
        arguments: The program and its arguments; a name without a folder is sought on the PATH.
        environ: The complete environment.
        cwd: The folder that it runs in; the current one if not given.
        timeout: Seconds after which the program and all that it started are ended.
        check: Whether an exit status other than 0 is an error.
        secrets: What is masked in the result and in every error, however it is encoded there.

    Raises:
        CommandError: The program failed.
        CommandTimeout: The program took too long.
        CloudRepoError: The program could not be started.
    """
    __tracebackhide__ = True
    # Kept as they are, as one may be a string that hides itself in a traceback.
    words = [one if isinstance(one, str) else str(one) for one in arguments]
    secrets = [*secrets, *map(_secret_of, filter(_is_secret, words))]
    # Files, not pipes: a program that leaves a daemon behind would keep a pipe open.
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        process = _start(words, environ=environ, cwd=cwd, stdout=stdout, stderr=stderr)
        in_time = _wait(process, timeout)
        result = CommandResult(
            args=tuple(_PASSWORD_IN_URL.sub(r"\1***", mask(word, secrets)) for word in words),
            returncode=process.returncode,
            stdout=mask(_read(stdout), secrets),
            stderr=mask(_read(stderr), secrets),
        )
    if not in_time:
        raise CommandTimeout(
            f"{shlex.join(result.args)} did not end within {timeout:g} seconds and was stopped\n"
            f"{plain(result.output).strip() or '(it had printed nothing)'}"
        )
    if check and not result.ok:
        raise CommandError(result)
    return result


def mask(text: str, secrets: Sequence[str]) -> str:
    """Give the text with the secrets in it replaced by `***`, however they are encoded there."""
    pattern = _pattern(tuple(secrets))
    return pattern.sub("***", text) if pattern else text


def _start(
    words: list[str],
    *,
    environ: Mapping[str, str],
    cwd: str | Path | None,
    stdout: IO[bytes],
    stderr: IO[bytes],
) -> subprocess.Popen[bytes]:
    program, *rest = words
    if os.path.dirname(program):  # noqa: PTH120 - Path("./x") forgets that it names a folder
        found: str | None = program
    else:
        # Windows itself would look on this process's PATH, and for .exe alone.
        found = shutil.which(program, path=environ.get("PATH", os.defpath))
    if found is None:
        hint = "; its arguments are given one by one" if " " in program else ""
        raise CloudRepoError(f"there is no program called {program!r} on the PATH{hint}")
    try:
        return subprocess.Popen(  # noqa: S603 - running what the test names is its purpose
            [found, *rest],
            env=dict(environ),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            # A group of its own, so that all of it can be ended. Not so on Windows: there the
            # tree is found without it, and Ctrl-C must reach the program, as it cannot
            # interrupt this process's waiting.
            start_new_session=sys.platform != "win32",
        )
    except (OSError, ValueError) as error:
        if cwd is not None and not Path(cwd).is_dir():
            raise CloudRepoError(f"cannot run {program} in {cwd}: no such folder") from None
        reason = getattr(error, "strerror", None) or error
        raise CloudRepoError(f"cannot start {program}: {reason}") from None


def _wait(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait until the program has ended; say whether it did so by itself."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _end(process)

    # Waiting without a time-out, as waiting with one polls at growing intervals of up to 50 ms.
    timer = threading.Timer(timeout, expire)
    timer.daemon = True
    timer.start()
    try:
        process.wait()
    except BaseException:
        _end(process)
        process.wait()
        raise
    finally:
        timer.cancel()
    return not expired.is_set()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started."""
    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    if sys.platform != "win32":
        # A process whose parent has gone is in the tree no more, but still in the group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    for member in family:
        with suppress(psutil.Error):
            member.kill()


def _is_secret(word: str) -> bool:
    return isinstance(word, Secret)


def _secret_of(word: str) -> str:
    """Give the password of a secret URL, or else all of it."""
    return unquote(urlsplit(word).password or word)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace").replace("\r\n", "\n")


@lru_cache(maxsize=64)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    # Longest first, lest one that begins another leaves the other's end to be read.
    ordered = sorted(filter(None, secrets), key=len, reverse=True)
    spelled = ("".join(_spellings(character) for character in secret) for secret in ordered)
    return re.compile("|".join(spelled)) if ordered else None


def _spellings(character: str) -> str:
    """Give the pattern of a character as URLs, JSON, HTML, Python and shells spell it.

    Character by character, as each program has its own idea of which to encode.
    """
    encoded = quote(character, safe="")
    spellings = {
        character,
        encoded,
        encoded.lower() if encoded != character else character,
        json.dumps(character)[1:-1],
        html.escape(character),
    }
    if not character.isalnum():
        spellings.add(f"\\{character}")
    if character == " ":
        spellings.add("+")
    ordered = sorted(spellings, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, ordered))})"
