"""Programs that run with this machine's own settings, such as its package index."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from pytest_cloudrepo._programs import command

if TYPE_CHECKING:
    from pathlib import Path

INSTALL_TIMEOUT: Final = 900.0


def run(*arguments: str | Path) -> str:
    """Run a program and return its output.

    Raises:
        CommandError: The program failed.
    """
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PYTEST_", "VIRTUAL_ENV"))
    }
    return command.run(arguments, environ=environ, timeout=INSTALL_TIMEOUT).stdout


def run_uv(*arguments: str | Path) -> str:
    """Run uv and return its output.

    Raises:
        CommandError: uv failed.
    """
    return run(sys.executable, "-m", "uv", "--no-python-downloads", *arguments)
