"""Programs run as the machine has them configured: its settings say where packages come from."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from pytest_cloudrepo._programs import command

if TYPE_CHECKING:
    from pathlib import Path

INSTALLING: Final = 900.0


def run(*arguments: str | Path) -> str:
    """Run a program, and give what it printed.

    Raises:
        CommandError: it failed.
    """
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PYTEST_", "VIRTUAL_ENV"))
    }
    return command.run(arguments, environ=environ, timeout=INSTALLING).stdout


def run_uv(*arguments: str | Path) -> str:
    """Run uv likewise."""
    return run(sys.executable, "-m", "uv", "--no-python-downloads", *arguments)
