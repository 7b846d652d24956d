"""Which version of a client is the newest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from tests.support.clients import machine, pythons

if TYPE_CHECKING:
    from pathlib import Path

A_DAY: Final = 24 * 60 * 60


def newest(name: str, cache: Path) -> str:
    """The newest version of a project, whatever it requires; asked for once a day.

    Raises:
        CommandError: the index does not answer.
    """
    answer = cache / f"newest-{name}.txt"
    with FileLock(answer.with_suffix(".lock")):
        if not answer.is_file() or time.time() - answer.stat().st_mtime > A_DAY:
            answer.write_text(_released(name, cache), "utf-8")
        return answer.read_text("utf-8")


def _released(name: str, cache: Path) -> str:
    asked = cache / f"newest-{name}.in"
    asked.write_text(name, "utf-8")
    printed = machine.run_uv(
        *("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-deps", "--upgrade"),
        *("--python-version", pythons.KNOWN[-1], asked),
    )
    return printed.strip().partition("==")[2]
