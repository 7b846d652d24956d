"""How a program ended, and the errors for programs that failed."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from pytest_cloudrepo.errors import CloudRepoError

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a program ended, and what it printed."""

    args: tuple[str, ...]
    """The program and its arguments."""
    returncode: int
    """Its exit status; less than 0 where a signal ended it."""
    stdout: str
    """What it printed to its standard output, with passwords masked."""
    stderr: str
    """Likewise to its standard error."""

    @property
    def output(self) -> str:
        """All that it printed, its standard output first and then its standard error."""
        return self.stdout + self.stderr

    @property
    def ok(self) -> bool:
        """Whether it ended with exit status 0."""
        return self.returncode == 0


class CommandError(CloudRepoError):
    """A program ended with an exit status other than 0."""

    def __init__(self, result: CommandResult, *, server_said: str = "") -> None:
        super().__init__(result)
        self.result = result
        self.server_said = server_said

    def __str__(self) -> str:
        """Show the command, how it ended, its output and what the server said meanwhile."""
        status = self.result.returncode
        ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        parts = [
            f"{shlex.join(self.result.args)} {ended}",
            plain(self.result.output).strip() or "(it printed nothing)",
        ]
        if self.server_said:
            parts.append(f"The server said: {self.server_said}")
        return "\n".join(parts)


def plain(output: str) -> str:
    """Give what a terminal would show; twine colours and pads its lines whatever it is told."""
    return "\n".join(_ESCAPES.sub("", line).rstrip() for line in output.split("\n"))


class CommandTimeout(CloudRepoError):  # noqa: N818 - named as subprocess.TimeoutExpired is
    """A program did not end in time, and was ended with all that it had started."""
