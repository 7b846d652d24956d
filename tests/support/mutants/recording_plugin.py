"""A pytest plugin that writes the test that runs to a file, and how long each test took."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest

from tests.support.mutants.recorder import (
    DURATIONS,
    NUMBER_SIZE,
    RUNNING,
    SIZE,
    VARIABLE,
    continue_recording,
)

_numbers = itertools.count(1)
_folder = Path(os.environ[VARIABLE].partition(os.pathsep)[0])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart(nodeid: str) -> None:
    """Write the name of the test that starts."""
    name = nodeid.encode()[: SIZE - NUMBER_SIZE]
    with (_folder / RUNNING).open("r+b") as file:
        file.write(next(_numbers).to_bytes(NUMBER_SIZE) + name.ljust(SIZE - NUMBER_SIZE, b"\0"))
    continue_recording()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write how long a phase of a test took, its fixtures or the test itself, and its outcome."""
    with (_folder / DURATIONS).open("a", encoding="utf-8") as file:
        file.write(json.dumps([report.nodeid, report.duration, report.outcome]) + "\n")
