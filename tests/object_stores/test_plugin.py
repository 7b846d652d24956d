"""Test suites against a server that shares its store: all but what belongs to one server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.index import Server
from tests.support.object_stores.engines import ADMIN

SUITE = """
def test_publishes_and_installs(cloudrepo, cloudrepo_project, cloudrepo_venv):
    cloudrepo.overwrite_protection = True
    paths = cloudrepo_project("demo", "1.0").build()
    cloudrepo.upload(*paths)
    assert not cloudrepo.upload(*paths, check=False).ok
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.version("demo") == "1.0"


def test_looks_at_the_journal(cloudrepo):
    assert cloudrepo.requests == []


def test_asks_for_a_fault(cloudrepo):
    cloudrepo.fault("status", status=503)


def test_stands_for_another_index(cloudrepo):
    cloudrepo.impersonate("http://index.example/simple/")


def test_fails(cloudrepo):
    assert cloudrepo.files("demo") == ["what is not there"]
"""


def test_a_suite_gets_what_it_can_and_is_told_what_it_cannot(
    one: Server, other: Server, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(SUITE, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--cloudrepo-url={one.url}"],
        cwd=tmp_path,
        env={**os.environ, **ADMIN},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    said = ended.stdout
    assert "4 failed, 1 passed" in said, said + ended.stderr
    for what in ("The journal", "A fault", "An impersonation"):
        assert f"{what} belongs to one server, but this server shares its store" in said
    # The report of a test that fails otherwise has no part about the journal.
    assert "cloudrepo: requests to" not in said
    # Nothing is left, on whichever server.
    assert other.done("GET", "/repositories")["repositories"] == []
    assert other.done("GET", "/users")["users"] == []
