"""Snapshots of PyPI: a resolver chooses from a snapshot what it chooses from PyPI."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cloudrepo_server.cli import main
from pytest_cloudrepo import Repository
from pytest_cloudrepo._programs import command

REQUIREMENT = "nbclient"
TIMEOUT = 600.0


def test_uv_chooses_the_same_versions_from_a_snapshot_of_pypi(
    cloudrepo: Repository, tmp_path: Path
) -> None:
    requirements, snapshot = tmp_path / "requirements.in", tmp_path / "graph.toml"
    requirements.write_text(REQUIREMENT)
    version = ".".join(map(str, sys.version_info[:3]))
    platform = ("--python-platform", "x86_64-unknown-linux-gnu", "--python-version", version)
    compile_ = ("uv", "pip", "compile", "--quiet", "--no-header", *platform, str(requirements))
    options = ("--python", version, "--platform", "linux-x86_64", "-o", str(snapshot))
    with pytest.raises(SystemExit) as ended:
        main(["snapshot", "--from", "pypi", *options, REQUIREMENT])
    assert not ended.value.code
    loaded = cloudrepo.load_snapshot(snapshot)
    real = command.run(
        [*compile_, "--exclude-newer", loaded.exclude_newer], environ=os.environ, timeout=TIMEOUT
    )

    assert cloudrepo.run(*compile_).stdout == real.stdout
    assert "traitlets==" in real.stdout
