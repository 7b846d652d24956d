"""The installers and publishers of the test environment, configured for a repository."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_cloudrepo import CommandResult, Repository
from pytest_cloudrepo._programs import command

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 120.0
UV = ("uv",) if shutil.which("uv") else (sys.executable, "-m", "uv")
INSTALLERS: Final = {"pip": (sys.executable, "-m", "pip"), "uv": (*UV, "pip")}
"""The commands of the installers, without the subcommand."""
NO_RETRIES: Final = {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"}
"""The variables without which installers repeat a failed connection for seconds."""


@dataclass(frozen=True)
class Client:
    """An installer or publisher that does not retry failed requests."""

    name: str
    repository: Repository
    folder: Path

    def install(self, requirement: str) -> CommandResult:
        command_line = INSTALLERS[self.name]
        target = self.folder / "target"
        return self._run(self.name, [*command_line, "install", "--target", target, requirement])

    def publish(self, package: Path) -> CommandResult:
        if self.name == "twine":
            twine = (sys.executable, "-m", "twine", "upload", "--disable-progress-bar")
            return self._run("twine", [*twine, package], retries=None)
        return self._run("uv", [*UV, "publish", "--trusted-publishing", "never", package])

    def _run(
        self, tool: str, arguments: Sequence[str | Path], *, retries: int | None = 0
    ) -> CommandResult:
        environ = self.repository.environ_for(tool, retries=retries)
        return command.run(
            arguments, environ=environ, cwd=self.folder, timeout=TIMEOUT, check=False
        )
