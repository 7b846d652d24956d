"""What can go wrong, in words for people."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_cloudrepo.command import CommandResult

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class CloudRepoError(Exception):
    """The base of everything that this plugin raises on purpose."""


class ServerError(CloudRepoError):
    """The server refused what was asked of it, or could not be reached."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PackageError(CloudRepoError, ValueError):
    """A project, a package or a graph of them was described in a way that none can be."""


class ScenarioError(PackageError):
    """A scenario's file cannot be read, or does not describe one."""


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
