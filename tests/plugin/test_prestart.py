"""The server starts while tests are collected, so that no test waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.inner_sessions import DIES, USES

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

# A module that is collected after the first, and only when the server says that it can answer.
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

# Says at the end of collection, and of the run, whether a server was started.
TELLS = """
import pathlib

def started(session):
    return bool(list(pathlib.Path(session.config.rootpath).glob(".pytest_cache/d/.xprocess/*/*")))

def pytest_runtestloop(session):
    print("started before the tests:", started(session))
"""


def test_the_server_starts_with_the_first_test_that_will_ask_for_it(suite: Suite) -> None:
    suite.write(test_a=USES, test_b=WAITS)
    outcome = suite.run("-q")
    assert outcome.counts() == {"passed": 2}, outcome
    suite.expect_nothing_left()


FULL = """
from pytest_cloudrepo._server.run_folder import RunFolder

def claim(self, owner):
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
def test_it_starts_for_selected_tests_alone(
    suite: Suite, arguments: tuple[str, ...], *, started: bool
) -> None:
    suite.write(conftest=TELLS, test_a=USES, test_b="def test_nothing(): pass")
    outcome = suite.run("-q", "-s", *arguments)
    assert f"started before the tests: {started}" in outcome.output
    suite.expect_nothing_left()


def test_it_does_not_start_for_a_look_at_the_tests(suite: Suite) -> None:
    suite.write(test_a=USES)
    assert suite.run("--collect-only").status == 0
    assert list(suite.folder.glob(".pytest_cache/d/.xprocess/*")) == []


def test_a_start_that_fails_is_the_tests_to_hear_of(suite: Suite) -> None:
    suite.write(sitecustomize=DIES, test_a=USES, test_b="def test_nothing(): pass")
    outcome = suite.run("-q", environ={"PYTHONPATH": str(suite.folder)})
    assert outcome.counts() == {"passed": 1, "errors": 1}, outcome
    assert "the disk is on fire" in outcome.output


def test_a_start_that_is_refused_is_too(suite: Suite) -> None:
    suite.write(conftest=FULL, test_a=USES, test_b="def test_nothing(): pass")
    outcome = suite.run("-q")
    assert outcome.counts() == {"passed": 1, "errors": 1}, outcome
    assert "no server could be started: [Errno 28] No space left on device" in outcome.output
