"""The OpenAPI document, kept true by schemathesis against the live server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.index import Server

# What JSON Schema cannot say makes a request wrong too: 5.0 for a whole number, the name of a file
# that no distribution has, an upstream that is not there.
LEFT_OUT = "positive_data_acceptance"


def test_schemathesis_finds_no_server_error_and_no_undocumented_answer(
    own_server: Server, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"{own_server.url}/api/openapi.json",
            *("--auth", ":".join(own_server.admin)),
            *("--exclude-checks", LEFT_OUT),
            *("--max-examples", "15", "--generation-deterministic", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr
