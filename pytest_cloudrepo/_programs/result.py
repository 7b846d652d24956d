"""The result of a subprocess, and the exceptions for one that failed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_cloudrepo._programs.program_name import program_name
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_REASON = 300

_ESCAPE_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# The signs that uv draws around a message.
_FRAME: Final = " \t×╰─▶│├"  # noqa: RUF001 - not the letter x
_ERROR: Final = re.compile(r"error\b|cause:|\w+(?:Error|Exception):|Because ", re.IGNORECASE)
_LABEL: Final = re.compile(r"(?:error|cause):?\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class CommandResult:
    """The exit status and output of a program."""

    args: tuple[str, ...]
    """The program and its arguments, with passwords masked."""
    returncode: int
    """The exit status; negative if a signal ended the program."""
    stdout: str
    """The standard output, with passwords masked."""
    stderr: str
    """The standard error output, with passwords masked."""
    rejection: str = ""
    """The status and reason of the failed request that explains why the program failed."""

    @property
    def output(self) -> str:
        """The whole output, with standard error after standard output."""
        return self.stdout + self.stderr

    @property
    def ok(self) -> bool:
        """Whether the program exited with status 0."""
        return self.returncode == 0

    @property
    def reason(self) -> str:
        """The `rejection`, or else the error that the program printed, in one line.

        It is empty if the program succeeded, or if it has neither.
        """
        if self.ok:
            return ""
        return self.rejection or _printed_error(self.stderr) or _printed_error(self.stdout)

    def __repr__(self) -> str:
        reason = f": {self.reason} ({ending(self)})" if self.reason else f" {ending(self)}"
        return f"<CommandResult {program_name(self.args)}{reason}>"


class CommandError(CloudRepoError):
    """A program exited with a status other than 0.

    Attributes:
        result: the program's exit status and output.
        rejected_requests: the requests that the server rejected while the program ran, one per
            line; empty if there were none.
    """

    def __init__(self, result: CommandResult, *, rejected_requests: str = "") -> None:
        super().__init__(result)
        self.result = result
        self.rejected_requests = rejected_requests

    def __str__(self) -> str:
        """Return the reason, the command, its output and the requests that the server rejected.

        pytest shows the first line in its summary of failed tests.
        """
        result = self.result
        parts = [
            f"{program_name(result.args)}: {result.reason or ending(result)}",
            f"{command_line(result.args)} {ending(result)}",
            plain_text(result.output).strip() or "(no output)",
        ]
        if self.rejected_requests:
            parts.append(f"The server's error responses:\n{self.rejected_requests}")
        return "\n".join(parts)


class CommandTimeout(CloudRepoError):  # noqa: N818 - named after subprocess.TimeoutExpired
    """A program timed out, and was stopped with all processes that it had started."""


for _error in (CommandError, CommandTimeout):
    # pytest's summary shows the module's name too, in a line that it cuts at the terminal's edge.
    _error.__module__ = "pytest_cloudrepo"


def command_line(arguments: Sequence[str]) -> str:
    """Return a command, quoted for the user's shell."""
    if sys.platform == "win32":
        return subprocess.list2cmdline(arguments)
    else:  # noqa: RET505 - mypy checks only one of the branches
        return shlex.join(arguments)


def ending(result: CommandResult) -> str:
    """Return how a program ended, such as `exited with status 1`."""
    status = result.returncode
    return f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"


def plain_text(output: str) -> str:
    """Return the output without colours and padding; twine writes them despite --no-color."""
    return "\n".join(_ESCAPE_SEQUENCE.sub("", line).rstrip() for line in output.split("\n"))


def _printed_error(output: str) -> str:
    """Return the last error message of an output, or its last line; an empty string if none."""
    lines = [line.strip(_FRAME) for line in plain_text(output).split("\n")]
    lines = list(filter(None, lines))
    errors = [line for line in lines if _ERROR.match(line)]
    last = (errors or lines or [""])[-1]
    label = _LABEL.match(last)
    return last[label.end() if label else 0 :][:MAX_REASON]
