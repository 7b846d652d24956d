"""The newest version of a client, as the machine's package index lists it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from tests.support.clients import machine, pythons

if TYPE_CHECKING:
    from pathlib import Path

A_DAY: Final = 24 * 60 * 60


def newest(name: str, cache: Path) -> str:
    """Return the newest version of a project. The version is cached for a day.

    Raises:
        CommandError: The package index returned no version.
    """
    cached = cache / f"newest-{name}.txt"
    with FileLock(cached.with_suffix(".lock")):
        if not cached.is_file() or time.time() - cached.stat().st_mtime > A_DAY:
            cached.write_text(_look_up(name, cache), "utf-8")
        return cached.read_text("utf-8")


def _look_up(name: str, cache: Path) -> str:
    requirements = cache / f"newest-{name}.in"
    requirements.write_text(name, "utf-8")
    output = machine.run_uv(
        *("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-deps", "--upgrade"),
        *("--python-version", pythons.KNOWN[-1], requirements),
    )
    return output.strip().partition("==")[2]
