"""Lets CloudRepo's own client check a repository; runs in that client's environment.

Its one argument is a file that says where, as whom, and what to move; it prints a line for each
check.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import cloudrepo_migrate as migrate


class Source:
    """What files are moved from: another repository."""

    NAME = "the source"

    def __init__(self, url: str, authorization: str) -> None:
        self.ep = migrate.Endpoint(url, authorization)

    def content(self, repository: str, path: str) -> str:
        """The path of a file's URL."""
        return f"repositories/{repository}/{path}"

    def recorded(self, _repository: str, _path: str) -> dict[str, str]:
        """The digests that the source knows of a file: none."""
        return {}


def check(told: dict[str, Any]) -> list[str]:
    """What each check said, as far as one that fails."""
    cloudrepo = migrate.Endpoint(told["url"], "Bearer " + told["token"])
    try:
        migrate.check_token(cloudrepo)
    except migrate.Usage as refused:
        return [f"check_token: {refused}"]
    said = ["check_token: accepted"]
    problem = migrate.ensure_repository(cloudrepo, told["repository"], "pypi")
    if problem:
        return [*said, f"ensure_repository: {problem}"]
    said.append("ensure_repository: it is there, and is a PyPI repository")
    source = Source(told["url"], told["source_authorization"])
    with tempfile.TemporaryDirectory() as work:
        for path in told["paths"]:
            result = migrate.move_python_file(
                source, cloudrepo, work, told["source"], told["repository"], path
            )
            ended = ": ".join(filter(None, [result["status"], result["reason"]]))
            said.append(f"move_python_file: {path}: {ended}")
    return said


sys.stdout.write("\n".join([*check(json.loads(Path(sys.argv[1]).read_text("utf-8"))), ""]))
