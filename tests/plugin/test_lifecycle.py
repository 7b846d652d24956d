"""One server a run, whatever pytest-xprocess and pytest-xdist do.

`row` names a row of what breaks with pytest-xprocess alone.
"""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import pytest_cloudrepo
from pytest_cloudrepo._server.process import wait_for_end
from tests.support.inner_sessions import DIES, USES

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

# Tests that say which server they saw, and do not end before all workers have one.
SEEN = """
import pathlib, time
import pytest, requests

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("number", range({count}))
def test_server(cloudrepo_server, number):
    (HERE / f"seen-{{number}}").write_text(cloudrepo_server.url)
    deadline = time.monotonic() + 60
    while len(list(HERE.glob("seen-*"))) < {count}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert requests.get(cloudrepo_server.url + "/healthz", timeout=5).ok
    runs = list((HERE / ".pytest_cache/d/.xprocess").iterdir())
    (HERE / f"runs-{{number}}").write_text(str(len(runs)))
"""


HANGS = """
import sys, threading
if "cloudrepo_server" in sys.orig_argv:
    print("looking for the disk", flush=True)
    threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("arguments", "count"),
    [(("-n4",), 4), (("-n2", "--dist", "each"), 1), (("-p", "no:xdist"), 1)],
    ids=["row 1, 2: four workers", "each", "without xdist"],
)
def test_a_run_has_one_server(suite: Suite, arguments: tuple[str, ...], count: int) -> None:
    suite.write(test_it=SEEN.format(count=count))
    outcome = suite.run("-q", *arguments)
    assert outcome.status == 0, outcome
    assert len(set(suite.read("seen-*"))) == 1
    assert set(suite.read("runs-*")) == {"1"}
    suite.expect_nothing_left()


def test_row_3_the_first_worker_that_ends_leaves_the_server_to_the_others(suite: Suite) -> None:
    suite.write(
        conftest="""
import os, pathlib

def pytest_unconfigure(config):
    if hasattr(config, "workerinput"):
        (pathlib.Path(__file__).parent / f"ended-{config.workerinput['workerid']}").touch()
""",
        test_it="""
import pathlib, time
import pytest, requests

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("number", range(2))
def test_server(cloudrepo_server, number, worker_id):
    if worker_id == "gw1":
        deadline = time.monotonic() + 60
        while not (HERE / "ended-gw0").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert requests.get(cloudrepo_server.url + "/healthz", timeout=5).ok
""",
    )
    outcome = suite.run("-n2")
    assert outcome.counts() == {"passed": 2}, outcome
    suite.expect_nothing_left()


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_row_4_a_server_that_dies_at_start_fails_the_tests_in_its_own_words(
    suite: Suite, workers: str
) -> None:
    suite.write(sitecustomize=DIES, test_it=USES + USES.replace("uses", "also_uses"))
    # Were the death not noticed, this would wait ten minutes, longer than the run is given.
    outcome = suite.run(
        workers, "-o", "cloudrepo_startup_timeout=600", environ={"PYTHONPATH": str(suite.folder)}
    )
    assert outcome.counts() == {"errors": 2}, outcome
    assert "the index server ended while it started. the disk is on fire" in outcome.output
    assert "Traceback" not in outcome.output
    suite.expect_nothing_left()


def test_a_server_that_never_answers_is_given_up_and_stopped(suite: Suite) -> None:
    suite.write(sitecustomize=HANGS, test_it=USES)
    outcome = suite.run(
        "-o", "cloudrepo_startup_timeout=0.5", environ={"PYTHONPATH": str(suite.folder)}
    )
    assert outcome.counts() == {"errors": 1}, outcome
    assert "did not answer within 0.5 s" in outcome.output
    assert "looking for the disk" in outcome.output
    suite.expect_nothing_left()


def test_row_6_pytest_xprocess_reads_no_log_of_ours(suite: Suite) -> None:
    suite.write(
        test_it=USES
        + """
def test_after_it(request):
    assert not getattr(request.config, "_extlogfiles", {})
"""
    )
    outcome = suite.run()
    assert outcome.counts() == {"passed": 2}, outcome


def test_row_7_no_log_grows_from_run_to_run(suite: Suite) -> None:
    suite.write(test_it=USES)
    for _ in range(2):
        assert suite.run().status == 0
        assert suite.run_folders() == []


def test_row_8_a_recycled_process_id_is_nobodys_server(suite: Suite) -> None:
    suite.write(
        test_it="""
import pathlib, subprocess, sys, time
import psutil

def test_recycled(cloudrepo_server, request):
    here = pathlib.Path(__file__).parent
    (pid_file,) = here.glob(".pytest_cache/d/.xprocess/*/xprocess.PID")
    server = psutil.Process(int(pid_file.read_text()))
    server.kill()
    server.wait(60)
    reads = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    bystander = subprocess.Popen(reads, stdin=subprocess.PIPE)
    pid_file.write_text(str(bystander.pid))
    bystander.returncode = 0  # it outlives this test
    request.config.bystander = bystander
"""
    )
    # The bystander ends with the inner pytest, from which it reads.
    suite.write(
        conftest="""
import pathlib, psutil, pytest

@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    alive = psutil.Process(config.bystander.pid).status() != psutil.STATUS_ZOMBIE
    (pathlib.Path(__file__).parent / "alive").write_text(str(alive))
"""
    )
    outcome = suite.run()
    assert outcome.status == 0, outcome
    assert suite.read("alive") == ["True"]
    suite.expect_nothing_left()


def test_row_8_xkill_finds_nothing_of_ours(suite: Suite) -> None:
    suite.write(test_it=USES)
    assert suite.run().status == 0
    outcome = suite.run("--xkill")
    assert "cloudrepo" not in outcome.output


def test_row_9_another_runs_cache_clear_costs_a_run_nothing(suite: Suite) -> None:
    suite.write(
        test_it="""
import pathlib, time

HERE = pathlib.Path(__file__).parent

def test_meanwhile(cloudrepo, cloudrepo_factory):
    (HERE / "ready").touch()
    deadline = time.monotonic() + 60
    while not (HERE / "cleared").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert cloudrepo.files("demo") == []
    assert cloudrepo_factory().files("demo") == []
"""
    )
    run = suite.start()
    suite.wait_until_exists("ready")
    assert suite.run("--cache-clear", "--collect-only").status == 0
    assert suite.run_folders() == []
    (suite.folder / "cleared").touch()
    outcome = run.wait()
    assert outcome.status == 0, outcome
    suite.expect_nothing_left()


@pytest.mark.parametrize("plugin", ["cacheprovider", "legacypath"])
@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_row_10_no_other_plugin_of_pytests_is_needed(
    suite: Suite, plugin: str, workers: str
) -> None:
    suite.write(test_it=USES)
    outcome = suite.run(workers, "-p", f"no:{plugin}")
    assert outcome.counts() == {"passed": 1}, outcome
    suite.expect_nothing_left()


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_cache_that_cannot_be_written_costs_a_run_nothing(suite: Suite, workers: str) -> None:
    suite.write(test_it=USES, not_a_folder="")
    outcome = suite.run(workers, "-o", "cache_dir=not_a_folder.py")
    assert outcome.counts().get("passed") == 1, outcome
    suite.expect_nothing_left()


def test_row_11_two_runs_in_one_folder_have_a_server_each(suite: Suite) -> None:
    suite.write(
        test_it="""
import os, pathlib, time
import requests

HERE = pathlib.Path(__file__).parent

def test_both(cloudrepo_server):
    (HERE / f"url-{os.environ['RUN']}").write_text(cloudrepo_server.url)
    if os.environ["RUN"] == "second":
        deadline = time.monotonic() + 60
        while not (HERE / "first-ended").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert requests.get(cloudrepo_server.url + "/healthz", timeout=5).ok
"""
    )
    second = suite.start(environ={"RUN": "second"})
    suite.wait_until_exists("url-second")
    assert suite.run(environ={"RUN": "first"}).status == 0
    assert len(suite.servers()) == 1
    (suite.folder / "first-ended").touch()
    outcome = second.wait()
    assert outcome.status == 0, outcome
    assert len(set(suite.read("url-*"))) == 2
    suite.expect_nothing_left()


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_row_12_nothing_warns(suite: Suite, workers: str) -> None:
    suite.write(test_it=USES + USES.replace("uses", "also_uses"))
    outcome = suite.run(
        workers, "-W", "error", python=("-X", "dev", "-W", "always::ResourceWarning")
    )
    assert outcome.counts() == {"passed": 2}, outcome
    assert "Warning" not in outcome.output
    assert "Exception ignored" not in outcome.output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no zombies")
def test_row_13_a_zombie_counts_as_ended() -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(zombie.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)  # between two looks; pytest-timeout or the user ends what never ends
    # What waits for the process id to vanish would give up after a minute, and say so.
    assert wait_for_end(process, timeout=60)
    zombie.wait()


def test_row_16_one_module_knows_pytest_xprocess_and_two_of_its_names() -> None:
    imported = []
    for module in Path(pytest_cloudrepo.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = [alias.name for alias in getattr(node, "names", [])]
            if isinstance(node, ast.Import):
                imported += [(module.stem, name) for name in names if "xprocess" in name]
            elif isinstance(node, ast.ImportFrom) and "xprocess" in (node.module or ""):
                imported += [(module.stem, f"{node.module}.{name}") for name in names]
    assert imported == [
        ("process", "xprocess.ProcessStarter"),
        ("process", "xprocess.XProcess"),
    ]


def test_a_worker_that_crashes_leaves_the_server_to_the_others(suite: Suite) -> None:
    suite.write(
        test_it="""
import os, pathlib
import pytest, requests

@pytest.mark.parametrize("number", range(6))
def test_server(cloudrepo_server, number):
    here = pathlib.Path(__file__).parent
    if number == 0:
        os._exit(1)
    (here / f"seen-{number}").write_text(cloudrepo_server.url)
    assert requests.get(cloudrepo_server.url + "/healthz", timeout=5).ok
"""
    )
    outcome = suite.run("-n2")
    assert outcome.counts() == {"passed": 5, "failed": 1}, outcome
    assert len(set(suite.read("seen-*"))) == 1
    suite.expect_nothing_left()


def test_a_run_that_asks_for_no_server_starts_none(suite: Suite) -> None:
    suite.write(test_it="def test_nothing(): pass\n")
    assert suite.run().status == 0
    assert suite.run_folders() == []
    assert not (suite.folder / ".pytest_cache/d").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_what_a_killed_run_and_its_killed_server_left_goes_with_the_next_run(suite: Suite) -> None:
    suite.write(
        test_it="""
import pathlib, time

def test_hangs(cloudrepo):
    (pathlib.Path(__file__).parent / "ready").touch()
    time.sleep(600)
"""
    )
    run = suite.start()
    suite.wait_until_exists("ready")
    (server,) = suite.servers()
    server.suspend()  # it cannot tidy up any more
    run.signal("SIGKILL", whole_group=True)
    run.wait()
    server.kill()
    suite.wait_for(lambda: not suite.servers(), "the end of the server")
    assert suite.left()
    suite.write(test_it=USES)
    assert suite.run().status == 0
    suite.expect_nothing_left()
