"""Runs the functions of `cloudrepo-migrate` in that client's environment.

The only argument is a JSON file with the URL, the token, and the files to move. The output has one
line for each check.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import cloudrepo_migrate as migrate


class Source:
    """The repository to move files from, with the interface that `cloudrepo-migrate` expects."""

    NAME = "the source"

    def __init__(self, url: str, authorization: str) -> None:
        self.ep = migrate.Endpoint(url, authorization)

    def content(self, repository: str, path: str) -> str:
        """Return the path of a file's URL."""
        return f"repositories/{repository}/{path}"

    def recorded(self, _repository: str, _path: str) -> dict[str, str]:
        """Return the recorded digests of a file: none."""
        return {}


def check(task: dict[str, Any]) -> list[str]:
    """Run the checks until one fails; return a line for each."""
    cloudrepo = migrate.Endpoint(task["url"], "Bearer " + task["token"])
    try:
        migrate.check_token(cloudrepo)
    except migrate.Usage as error:
        return [f"check_token: {error}"]
    lines = ["check_token: accepted"]
    problem = migrate.ensure_repository(cloudrepo, task["repository"], "pypi")
    if problem:
        return [*lines, f"ensure_repository: {problem}"]
    lines.append("ensure_repository: exists and is a PyPI repository")
    source = Source(task["url"], task["source_authorization"])
    with tempfile.TemporaryDirectory() as work:
        for path in task["paths"]:
            result = migrate.move_python_file(
                source, cloudrepo, work, task["source"], task["repository"], path
            )
            outcome = ": ".join(filter(None, [result["status"], result["reason"]]))
            lines.append(f"move_python_file: {path}: {outcome}")
    return lines


sys.stdout.write("\n".join([*check(json.loads(Path(sys.argv[1]).read_text("utf-8"))), ""]))
