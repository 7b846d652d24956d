"""The OpenAPI document, compared with the running server by schemathesis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.index import Server

# The server also rejects requests for reasons that JSON Schema cannot express: 5.0 for an integer,
# a file name that no distribution can have, an upstream that does not exist.
EXCLUDED = "positive_data_acceptance"


def test_schemathesis_finds_no_server_error_and_no_undocumented_response(
    own_server: Server, tmp_path: Path
) -> None:
    result = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"{own_server.url}/api/openapi.json",
            *("--auth", ":".join(own_server.admin)),
            *("--exclude-checks", EXCLUDED),
            *("--max-examples", "15", "--generation-deterministic", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert result.returncode == 0, result.stdout[-8000:] + result.stderr
