"""The server starts while tests are collected, so that the first test waits less for the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.inner_sessions import EXITS_AT_STARTUP, USES

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

# A module whose import waits until the server is ready. It is collected after the first module.
WAITS = """
import pathlib, time

HERE = pathlib.Path(__file__).parent
DEADLINE = time.monotonic() + 60
while not list(HERE.glob(".pytest_cache/d/.xprocess/cloudrepo-*/server.json")):
    assert time.monotonic() < DEADLINE, "no server was started by the collection"
    time.sleep(0.01)

def test_nothing():
    pass
"""

# Prints at the end of the collection whether a server was started.
PRINTS_STARTED = """
import pathlib

def started(session):
    return bool(list(pathlib.Path(session.config.rootpath).glob(".pytest_cache/d/.xprocess/*/*")))

def pytest_runtestloop(session):
    print("started before the tests:", started(session))
"""


def test_the_server_starts_when_the_first_test_that_needs_it_is_collected(suite: Suite) -> None:
    suite.write(test_a=USES, test_b=WAITS)
    outcome = suite.run("-q")
    assert outcome.counts() == {"passed": 2}, outcome
    suite.expect_nothing_left()


# Makes the creation of the run's folder fail.
DISK_FULL = """
from pytest_cloudrepo._server.run_folder import RunFolder

def claim(self, owner_pid):
    raise OSError(28, "No space left on device")

RunFolder.claim = claim
"""


@pytest.mark.parametrize(
    ("arguments", "started"),
    [
        (("-k", "nothing"), False),
        (("-k", "uses"), True),
        (("-m", "cloudrepo"), False),
        (("--deselect", "test_a.py::test_uses_it"), False),
        ((), True),
    ],
    ids=str,
)
def test_the_server_starts_only_if_a_selected_test_needs_the_server(
    suite: Suite, arguments: tuple[str, ...], *, started: bool
) -> None:
    suite.write(conftest=PRINTS_STARTED, test_a=USES, test_b="def test_nothing(): pass")
    outcome = suite.run("-q", "-s", *arguments)
    assert f"started before the tests: {started}" in outcome.output
    suite.expect_nothing_left()


def test_the_server_does_not_start_with_collect_only(suite: Suite) -> None:
    suite.write(test_a=USES)
    assert suite.run("--collect-only").status == 0
    assert list(suite.folder.glob(".pytest_cache/d/.xprocess/*")) == []


def test_an_exit_during_startup_fails_only_the_tests_that_need_the_server(suite: Suite) -> None:
    suite.write(sitecustomize=EXITS_AT_STARTUP, test_a=USES, test_b="def test_nothing(): pass")
    outcome = suite.run("-q", environ={"PYTHONPATH": str(suite.folder)})
    assert outcome.counts() == {"passed": 1, "errors": 1}, outcome
    assert "the disk is on fire" in outcome.output


def test_a_server_that_cannot_be_started_fails_only_the_tests_that_need_it(suite: Suite) -> None:
    suite.write(conftest=DISK_FULL, test_a=USES, test_b="def test_nothing(): pass")
    outcome = suite.run("-q")
    assert outcome.counts() == {"passed": 1, "errors": 1}, outcome
    assert "cannot start the index server: [Errno 28] No space left on device" in outcome.output
