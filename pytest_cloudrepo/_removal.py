"""Removes folders, also on Windows, where open and read-only files cannot be deleted."""

from __future__ import annotations

import shutil
import stat
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT: Final = 2.0
_POLL_INTERVAL: Final = 0.02


def remove_folder(folder: Path) -> None:
    """Remove a folder and its content; files that another program keeps open may remain."""
    shutil.rmtree(folder, ignore_errors=True)
    if sys.platform == "win32":
        # Windows closes the files of a process a moment after the process has ended.
        deadline = time.monotonic() + _TIMEOUT
        while folder.exists() and time.monotonic() < deadline:
            _make_writable(folder)
            time.sleep(_POLL_INTERVAL)
            shutil.rmtree(folder, ignore_errors=True)


def _make_writable(folder: Path) -> None:
    """Make the files writable: Windows does not delete read-only files, such as those of git."""
    for path in folder.rglob("*"):
        with suppress(OSError):
            if not path.is_symlink():
                path.chmod(stat.S_IWRITE | stat.S_IREAD)
