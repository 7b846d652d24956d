"""The program with which jobs on Buildkite and CircleCI request identity tokens: wrong input."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cloudrepo_server.clients import ci_agent

URL = "http://127.0.0.1:9/?api-version=2.0"


@pytest.mark.parametrize("claims", ["{", "[1]", "1", '"text"'])
def test_invalid_claims_are_reported_in_one_line(claims: str) -> None:
    environ = {"CLOUDREPO_JOB_REQUEST_URL": URL, "CLOUDREPO_JOB_REQUEST_TOKEN": "token"}
    command = [sys.executable, "-I", ci_agent.__file__, "run", "oidc", "get", "--claims", claims]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith("the identity token could not be requested: ")
    assert done.stderr.count("\n") == 1
