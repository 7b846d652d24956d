"""The result of a subprocess, and the exceptions for one that failed."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from pytest_cloudrepo.errors import CloudRepoError

_ESCAPE_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
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

    @property
    def output(self) -> str:
        """The whole output, with standard error after standard output."""
        return self.stdout + self.stderr

    @property
    def ok(self) -> bool:
        """Whether the program exited with status 0."""
        return self.returncode == 0


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
        """Return the command, its status, its output and the requests that the server rejected."""
        status = self.result.returncode
        end = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
        parts = [
            f"{shlex.join(self.result.args)} {end}",
            plain_text(self.result.output).strip() or "(no output)",
        ]
        if self.rejected_requests:
            parts.append(f"The server rejected:\n{self.rejected_requests}")
        return "\n".join(parts)


class CommandTimeout(CloudRepoError):  # noqa: N818 - named after subprocess.TimeoutExpired
    """A program timed out, and was stopped with all processes that it had started."""


def plain_text(output: str) -> str:
    """Return the output without colours and padding; twine writes them despite --no-color."""
    return "\n".join(_ESCAPE_SEQUENCE.sub("", line).rstrip() for line in output.split("\n"))
