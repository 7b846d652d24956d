"""Whatever ends a run, no server and no temporary folder outlives it by more than 3 seconds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows knows neither process groups nor these signals"
)

# Two tests, so that each of two workers is in one.
HANGS = """
import pathlib, time
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("number", range(2))
def test_hangs(cloudrepo, number):
    (HERE / f"ready-{number}").touch()
    time.sleep(600)
"""

ENDS_ITSELF = {
    "normal": ((), "def test_it(cloudrepo): pass", 0),
    "failing": ((), "def test_it(cloudrepo): assert not cloudrepo", 1),
    "first failure": (
        ("-x",),
        "def test_it(cloudrepo): assert not cloudrepo\ndef test_other(cloudrepo): pass",
        None,  # xdist and pytest do not agree on it
    ),
    "pytest.exit": (
        (),
        "import pytest\ndef test_it(cloudrepo): pytest.exit('enough', returncode=7)",
        None,  # likewise
    ),
    "internal error": (
        ("-p", "breaks"),
        "def test_it(cloudrepo): pass",
        3,
    ),
}

BREAKS = """
def pytest_runtest_logreport(report):
    if report.when == "call":
        raise RuntimeError("a plugin broke")
"""

WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"])


@WORKERS
@pytest.mark.parametrize("ending", ENDS_ITSELF)
def test_a_run_that_ends_by_itself(suite: Suite, ending: str, workers: str) -> None:
    arguments, text, status = ENDS_ITSELF[ending]
    suite.write(test_it=text, breaks=BREAKS)
    outcome = suite.run(workers, *arguments, environ={"PYTHONPATH": str(suite.folder)})
    # At once: the controller stops the server, which need not find out that it is alone.
    assert suite.left() == []
    if status is not None:
        assert outcome.status == status, outcome


@posix
def test_a_copy_of_the_process_that_ends_the_run_ends_no_server(suite: Suite) -> None:
    suite.write(
        test_it="""
import os, sys

def test_forks(cloudrepo):
    child = os.fork()
    if not child:
        sys.exit("as a program would, and so on through pytest to its end")
    os.waitpid(child, 0)
    assert cloudrepo.files("demo") == []

def test_goes_on(cloudrepo):
    assert cloudrepo.files("demo") == []
"""
    )
    outcome = suite.run()
    assert outcome.status == 0, outcome
    suite.expect_nothing_left()


@posix
@WORKERS
@pytest.mark.parametrize("whole_group", [True, False], ids=["group", "controller"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_run_that_is_ended(suite: Suite, name: str, workers: str, *, whole_group: bool) -> None:
    suite.write(test_it=HANGS)
    run = suite.start(workers)
    suite.wait_until_exists("ready-0")
    if workers == "-n2":
        suite.wait_until_exists("ready-1")
    assert len(suite.servers()) == 1
    run.signal(name, whole_group=whole_group)
    outcome = run.wait()
    suite.expect_nothing_left()
    if name == "SIGINT":
        assert outcome.status == pytest.ExitCode.INTERRUPTED, outcome
        # Row 5: what pytest-xprocess's own clean-up ends with.
        assert "TypeError" not in outcome.output


@posix
@WORKERS
def test_a_run_that_is_interrupted_while_the_server_starts(suite: Suite, workers: str) -> None:
    suite.write(
        test_it="def test_it(cloudrepo): pass",
        sitecustomize="""
import pathlib, sys, threading
if "cloudrepo_server" in sys.orig_argv:
    (pathlib.Path(__file__).parent / "starting").touch()
    threading.Event().wait()
""",
    )
    run = suite.start(workers, environ={"PYTHONPATH": str(suite.folder)})
    suite.wait_until_exists("starting")
    run.signal("SIGINT", whole_group=True)
    outcome = run.wait()
    suite.expect_nothing_left()
    assert outcome.status == pytest.ExitCode.INTERRUPTED, outcome
