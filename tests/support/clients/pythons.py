"""The Pythons that are installed on this machine."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from python_discovery import DiskCache, get_interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

KNOWN = ("2.7", *(f"3.{minor}" for minor in range(6, 16)))


@cache
def oldest(first: str, last: str, cache_folder: Path) -> tuple[str, Path]:
    """Return the oldest installed Python from FIRST to LAST: its version and its path.

    Raises:
        LookupError: No such Python is installed.
    """
    for version in KNOWN[KNOWN.index(first) : KNOWN.index(last) + 1]:
        path = _find(version, cache_folder)
        if path is not None:
            return version, path
    raise LookupError(f"no Python from {first} to {last} is installed")


def _find(version: str, cache_folder: Path) -> Path | None:
    path = os.pathsep.join([*map(str, _pyenv_folders()), os.environ.get("PATH", os.defpath)])
    if version == "2.7":  # python-discovery does not support Python 2
        program = shutil.which("python2.7", path=path)
        return Path(program) if program else None
    interpreter = get_interpreter(
        version, cache=DiskCache(cache_folder), env={**os.environ, "PATH": path}
    )
    return Path(interpreter.system_executable or interpreter.executable) if interpreter else None


def _pyenv_folders() -> Iterator[Path]:
    # pyenv puts only the Pythons that the user selected on the PATH.
    root = os.environ.get("PYENV_ROOT")
    if root:
        yield from sorted(Path(root, "versions").glob("*/bin"), reverse=True)
