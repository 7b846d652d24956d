"""A pytest session has exactly one server and stops it at its end, in any pytest-xdist mode."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

import pytest_cloudrepo
from pytest_cloudrepo._server.process import wait_for_exit
from tests.support.inner_sessions import EXITS_AT_STARTUP, USES
from tests.support.platforms import needs_posix
from tests.support.wait import growing_timeouts

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

# Tests that store the URL of their server, and wait until all workers have a server.
STORES_URL = """
import pathlib, time
import pytest, requests

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("number", range({count}))
def test_server(cloudrepo_server, number):
    (HERE / f"url-{{number}}").write_text(cloudrepo_server.url)
    deadline = time.monotonic() + 60
    while len(list(HERE.glob("url-*"))) < {count}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert requests.get(cloudrepo_server.url + "/healthz", timeout=60).ok
    folders = list((HERE / ".pytest_cache/d/.xprocess").iterdir())
    (HERE / f"folders-{{number}}").write_text(str(len(folders)))
"""


# A `sitecustomize` module that makes the index server hang during startup.
HANGS_AT_STARTUP = """
import sys, threading
if "cloudrepo_server" in sys.orig_argv:
    print("looking for the disk", flush=True)
    threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("arguments", "count"),
    [(("-n4",), 4), (("-n2", "--dist", "each"), 1), (("-p", "no:xdist"), 1)],
    ids=["four workers", "each", "without xdist"],
)
def test_a_session_has_one_server(suite: Suite, arguments: tuple[str, ...], count: int) -> None:
    suite.write(test_it=STORES_URL.format(count=count))
    outcome = suite.run("-q", *arguments)
    assert outcome.status == 0, outcome
    assert len(set(suite.read("url-*"))) == 1
    assert set(suite.read("folders-*")) == {"1"}
    suite.expect_nothing_left()


def test_the_server_runs_until_the_last_worker_has_ended(suite: Suite) -> None:
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
    assert requests.get(cloudrepo_server.url + "/healthz", timeout=60).ok
""",
    )
    outcome = suite.run("-n2")
    assert outcome.counts() == {"passed": 2}, outcome
    suite.expect_nothing_left()


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_server_that_exits_during_startup_fails_the_tests_with_its_output(
    suite: Suite, workers: str
) -> None:
    suite.write(sitecustomize=EXITS_AT_STARTUP, test_it=USES + USES.replace("uses", "also_uses"))
    # If the exit went unnoticed, the session would wait for ten minutes, and this test would fail.
    outcome = suite.run(
        workers, "-o", "cloudrepo_startup_timeout=600", environ={"PYTHONPATH": str(suite.folder)}
    )
    assert outcome.counts() == {"errors": 2}, outcome
    assert (
        "the index server exited during startup. Its output: the disk is on fire" in outcome.output
    )
    assert "Traceback" not in outcome.output
    suite.expect_nothing_left()


def test_a_server_that_is_not_ready_in_time_is_stopped(suite: Suite) -> None:
    suite.write(sitecustomize=HANGS_AT_STARTUP, test_it=USES)
    for timeout in growing_timeouts(0.5, "print a line"):
        outcome = suite.run(
            f"-ocloudrepo_startup_timeout={timeout}", environ={"PYTHONPATH": str(suite.folder)}
        )
        assert outcome.counts() == {"errors": 1}, outcome
        assert f"the index server was not ready within {timeout:g} s" in outcome.output
        if "looking for the disk" in outcome.output:
            break
    suite.expect_nothing_left()


def test_pytest_xprocess_does_not_read_the_servers_log_after_each_test(suite: Suite) -> None:
    suite.write(
        test_it=USES
        + """
def test_after_it(request):
    assert not getattr(request.config, "_extlogfiles", {})
"""
    )
    outcome = suite.run()
    assert outcome.counts() == {"passed": 2}, outcome


def test_the_servers_log_is_deleted_with_each_session(suite: Suite) -> None:
    suite.write(test_it=USES)
    for _ in range(2):
        assert suite.run().status == 0
        assert suite.run_folders() == []


def test_a_process_that_reuses_the_servers_process_id_is_not_killed(suite: Suite) -> None:
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
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    bystander = subprocess.Popen(command, stdin=subprocess.PIPE)
    pid_file.write_text(str(bystander.pid))
    bystander.returncode = 0  # keeps Popen from warning, as the process outlives this test
    request.config.bystander = bystander
"""
    )
    # The bystander exits with the inner pytest, from which it reads.
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


def test_xkill_finds_no_server_of_the_plugin(suite: Suite) -> None:
    suite.write(test_it=USES)
    assert suite.run().status == 0
    outcome = suite.run("--xkill")
    assert "cloudrepo" not in outcome.output


@needs_posix("deletion of open files")
def test_a_cache_clear_by_another_session_does_not_affect_a_session(suite: Suite) -> None:
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
    session = suite.start()
    suite.wait_until_exists("ready")
    assert suite.run("--cache-clear", "--collect-only").status == 0
    assert suite.run_folders() == []
    (suite.folder / "cleared").touch()
    outcome = session.wait()
    assert outcome.status == 0, outcome
    suite.expect_nothing_left()


@pytest.mark.parametrize("plugin", ["cacheprovider", "legacypath"])
@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_pytests_own_plugins_may_be_disabled(suite: Suite, plugin: str, workers: str) -> None:
    suite.write(test_it=USES)
    outcome = suite.run(workers, "-p", f"no:{plugin}")
    assert outcome.counts() == {"passed": 1}, outcome
    suite.expect_nothing_left()


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_cache_that_is_not_writable_does_not_affect_a_session(suite: Suite, workers: str) -> None:
    suite.write(test_it=USES, not_a_folder="")
    outcome = suite.run(workers, "-o", "cache_dir=not_a_folder.py")
    assert outcome.counts().get("passed") == 1, outcome
    suite.expect_nothing_left()


def test_two_sessions_in_one_folder_have_a_server_each(suite: Suite) -> None:
    suite.write(
        test_it="""
import os, pathlib, time
import requests

HERE = pathlib.Path(__file__).parent

def test_both(cloudrepo_server):
    (HERE / f"url-{os.environ['SESSION']}").write_text(cloudrepo_server.url)
    if os.environ["SESSION"] == "second":
        deadline = time.monotonic() + 60
        while not (HERE / "first-ended").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert requests.get(cloudrepo_server.url + "/healthz", timeout=60).ok
"""
    )
    second = suite.start(environ={"SESSION": "second"})
    suite.wait_until_exists("url-second")
    assert suite.run(environ={"SESSION": "first"}).status == 0
    assert len(suite.servers()) == 1
    (suite.folder / "first-ended").touch()
    outcome = second.wait()
    assert outcome.status == 0, outcome
    assert len(set(suite.read("url-*"))) == 2
    suite.expect_nothing_left()


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_session_emits_no_warnings(suite: Suite, workers: str) -> None:
    suite.write(test_it=USES + USES.replace("uses", "also_uses"))
    outcome = suite.run(
        workers, "-W", "error", python=("-X", "dev", "-W", "always::ResourceWarning")
    )
    assert outcome.counts() == {"passed": 2}, outcome
    assert "Warning" not in outcome.output
    assert "Exception ignored" not in outcome.output


@needs_posix("zombies")
def test_a_zombie_counts_as_exited() -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(zombie.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)  # polls the state of the process
    # A wait for the end of the process id would time out after a minute.
    assert wait_for_exit(process, timeout=60)
    zombie.wait()


def test_only_one_module_imports_pytest_xprocess_and_it_imports_two_names() -> None:
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


def test_a_crash_of_a_worker_does_not_affect_the_other_workers(suite: Suite) -> None:
    suite.write(
        test_it="""
import os, pathlib
import pytest, requests

@pytest.mark.parametrize("number", range(6))
def test_server(cloudrepo_server, number):
    here = pathlib.Path(__file__).parent
    if number == 0:
        os._exit(1)
    (here / f"url-{number}").write_text(cloudrepo_server.url)
    assert requests.get(cloudrepo_server.url + "/healthz", timeout=60).ok
"""
    )
    outcome = suite.run("-n2")
    assert outcome.counts() == {"passed": 5, "failed": 1}, outcome
    assert len(set(suite.read("url-*"))) == 1
    suite.expect_nothing_left()


def test_a_session_that_needs_no_server_starts_none(suite: Suite) -> None:
    suite.write(test_it="def test_nothing(): pass\n")
    assert suite.run().status == 0
    assert suite.run_folders() == []
    assert not (suite.folder / ".pytest_cache/d").exists()


@needs_posix("SIGKILL")
def test_the_next_session_removes_the_folders_of_a_killed_session_and_server(suite: Suite) -> None:
    suite.write(
        test_it="""
import pathlib, time

def test_hangs(cloudrepo):
    (pathlib.Path(__file__).parent / "ready").touch()
    time.sleep(600)
"""
    )
    session = suite.start()
    suite.wait_until_exists("ready")
    (server,) = suite.servers()
    # Stop the session, so that it cannot clean up after the killed server. It would not help to
    # stop the server and kill the session first. The death of the session orphans the server's
    # process group, so the kernel would resume the server with SIGHUP and SIGCONT (setpgid(2)).
    session.signal("SIGSTOP", whole_group=True)
    server.kill()
    session.signal("SIGKILL", whole_group=True)
    session.wait()
    suite.wait_for(lambda: not suite.servers(), "the end of the server")
    assert suite.leftovers()
    suite.write(test_it=USES)
    assert suite.run().status == 0
    suite.expect_nothing_left()
