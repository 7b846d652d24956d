"""The commands and files of the how-to page for tox."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_cloudrepo import Repository
from pytest_cloudrepo.factories import ProjectFactory
from pytest_cloudrepo.package import PackageFactory
from tests.support.markdown import blocks
from tests.support.platforms import needs_posix

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "tox-matrix.md"


@needs_posix("POSIX shell")
@pytest.mark.parametrize("has_dependency", [False, True])
def test_every_environment_installs_what_was_uploaded(
    cloudrepo: Repository,
    cloudrepo_project: ProjectFactory,
    cloudrepo_package: PackageFactory,
    *,
    has_dependency: bool,
) -> None:
    project = cloudrepo_project("demo", "1.0", requires=["helper"] if has_dependency else [])
    (settings,) = blocks(PAGE, "ini")
    Path(project.folder, "tox.ini").write_text(settings.text, encoding="utf-8")
    without, with_index = (block.text for block in blocks(PAGE, "console"))
    command = without
    if has_dependency:
        cloudrepo.publish(cloudrepo_package("helper", "1.0"))
        build, _, _ = without.partition("cloudrepo-server")
        # The reader's own index replaces PyPI.
        command = build + with_index.replace("pypi", cloudrepo.index_url)
    # The test provides only the network guard; the recipe itself must configure the index.
    environ = cloudrepo.environ_for("flit")
    del environ["TWINE_REPOSITORY"]
    programs = Path(sys.executable).parent
    environ["PATH"] = f"{programs}:{environ['PATH']}"

    completed = subprocess.run(
        ["sh", "-c", command],  # noqa: S607 (the reader's own shell)
        cwd=project.folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )

    assert completed.returncode == 0, completed.stdout
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    assert re.search(rf"{python}: OK", completed.stdout), completed.stdout
    assert re.search(rf"\.tox/{python}/lib/.*/demo\.py", completed.stdout), completed.stdout
