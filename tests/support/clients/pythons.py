"""The Pythons that are at hand."""

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
    """The oldest Python at hand from FIRST to LAST: its version, such as 3.9, and its path.

    Raises:
        LookupError: there is none.
    """
    for version in KNOWN[KNOWN.index(first) : KNOWN.index(last) + 1]:
        found = _find(version, cache_folder)
        if found is not None:
            return version, found
    raise LookupError(f"no Python from {first} to {last} is at hand")


def _find(version: str, cache_folder: Path) -> Path | None:
    path = os.pathsep.join([*map(str, _pyenv()), os.environ.get("PATH", os.defpath)])
    if version == "2.7":  # which python-discovery cannot question
        found = shutil.which("python2.7", path=path)
        return Path(found) if found else None
    known = get_interpreter(
        version, cache=DiskCache(cache_folder), env={**os.environ, "PATH": path}
    )
    return Path(known.system_executable or known.executable) if known else None


def _pyenv() -> Iterator[Path]:
    """Where pyenv's Pythons are; its own commands give only those that it is told to use."""
    root = os.environ.get("PYENV_ROOT")
    if root:
        yield from sorted(Path(root, "versions").glob("*/bin"), reverse=True)
