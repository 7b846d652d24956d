"""A test that runs each of the plugin's tools, for other installations of the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_cloudrepo

if TYPE_CHECKING:
    from pytest_cloudrepo import ProjectFactory, Repository, VirtualEnv


def test_each_tool_runs(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, cloudrepo_venv: VirtualEnv
) -> None:
    files = cloudrepo_project("demo", "1.0", setup_py=True).build()
    assert pytest_cloudrepo.check(*files) == []
    cloudrepo.upload(*files)
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.version("demo") == "1.0"
    cloudrepo_venv.install("--reinstall", "demo", index=cloudrepo, installer="uv")
    for environ in (cloudrepo.environ, cloudrepo_venv.environ):
        assert not {"PYTHONPATH", "PYTHONUSERBASE", "CLOUDREPO_TOOL_PATH"} & environ.keys()
