"""However a pytest session ends, its server and temporary folders are gone 3 seconds later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.inner_sessions import USES
from tests.support.platforms import WINDOWS, needs_posix

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

posix = needs_posix("process groups and POSIX signals")

# Two tests, so that each of two workers runs one of them.
HANGS = """
import pathlib, time
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("number", range(2))
def test_hangs(cloudrepo, number):
    (HERE / f"ready-{number}").touch()
    time.sleep(600)
"""

ENDINGS = {
    "normal": ((), "def test_it(cloudrepo): pass", 0),
    "failing": ((), "def test_it(cloudrepo): assert not cloudrepo", 1),
    "first failure": (
        ("-x",),
        "def test_it(cloudrepo): assert not cloudrepo\ndef test_other(cloudrepo): pass",
        None,  # the status differs between pytest and pytest-xdist
    ),
    "pytest.exit": (
        (),
        "import pytest\ndef test_it(cloudrepo): pytest.exit('enough', returncode=7)",
        None,  # as above
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
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_session_that_ends_by_itself_leaves_no_server_and_no_folders(
    suite: Suite, ending: str, workers: str
) -> None:
    arguments, text, status = ENDINGS[ending]
    suite.write(test_it=text, breaks=BREAKS)
    outcome = suite.run(workers, *arguments, environ={"PYTHONPATH": str(suite.folder)})
    # Without waiting: the controller stops the server itself.
    assert suite.leftovers() == []
    if status is not None:
        assert outcome.status == status, outcome


@posix
def test_a_forked_copy_of_pytest_does_not_stop_the_server(suite: Suite) -> None:
    suite.write(
        test_it="""
import os, sys

def test_forks(cloudrepo):
    child = os.fork()
    if not child:
        sys.exit("unwinds through pytest, which ends as at the end of a session")
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
def test_a_session_that_is_killed_leaves_no_server_and_no_folders(
    suite: Suite, name: str, workers: str, *, whole_group: bool
) -> None:
    suite.write(test_it=HANGS)
    session = suite.start(workers)
    suite.wait_until_exists("ready-0")
    if workers == "-n2":
        suite.wait_until_exists("ready-1")
    assert len(suite.servers()) == 1
    session.signal(name, whole_group=whole_group)
    outcome = session.wait()
    suite.expect_nothing_left()
    if name == "SIGINT":
        assert outcome.status == pytest.ExitCode.INTERRUPTED, outcome
        # The clean-up of pytest-xprocess itself raises this exception.
        assert "TypeError" not in outcome.output


@posix
@WORKERS
def test_an_interrupt_while_the_server_starts_leaves_no_server_and_no_folders(
    suite: Suite, workers: str
) -> None:
    suite.write(
        test_it="def test_it(cloudrepo): pass",
        sitecustomize="""
import pathlib, sys, threading
if "cloudrepo_server" in sys.orig_argv:
    (pathlib.Path(__file__).parent / "starting").touch()
    threading.Event().wait()
""",
    )
    session = suite.start(workers, environ={"PYTHONPATH": str(suite.folder)})
    suite.wait_until_exists("starting")
    session.signal("SIGINT", whole_group=True)
    outcome = session.wait()
    suite.expect_nothing_left()
    assert outcome.status == pytest.ExitCode.INTERRUPTED, outcome


@pytest.mark.skipif(not WINDOWS, reason="only on Windows a console sends the event that stops")
def test_a_session_without_a_console_stops_its_server(suite: Suite) -> None:
    suite.write(test_it=USES)
    outcome = suite.start(console=False).wait()
    assert outcome.status == 0, outcome
    assert "Error" not in outcome.output
    suite.expect_nothing_left()
