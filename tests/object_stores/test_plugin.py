"""A test suite on a server with a shared store, where journal, faults and impersonation fail."""

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


def test_uses_the_journal(cloudrepo):
    assert cloudrepo.requests == []


def test_uses_a_fault(cloudrepo):
    cloudrepo.fault("status", status=503)


def test_uses_impersonation(cloudrepo):
    cloudrepo.impersonate("http://index.example/simple/")


def test_fails(cloudrepo):
    assert cloudrepo.files("demo") == ["a missing file"]
"""


def test_features_that_need_an_unshared_store_fail_with_the_reason(
    first_server: Server, second_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(SUITE, encoding="utf-8")
    completed = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            f"--cloudrepo-url={first_server.url}",
        ],
        cwd=tmp_path,
        env={**os.environ, **ADMIN},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    output = completed.stdout
    assert "4 failed, 1 passed" in output, output + completed.stderr
    for feature in ("The journal", "A fault", "An impersonation"):
        assert f"{feature} needs a server that does not share its store" in output
    # The failure report of any test leaves out the section about the journal.
    assert "cloudrepo: requests to" not in output
    # The suite leaves nothing behind, on either server.
    assert second_server.api_json("GET", "/repositories")["repositories"] == []
    assert second_server.api_json("GET", "/users")["users"] == []
