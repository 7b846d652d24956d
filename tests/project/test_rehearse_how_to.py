"""The workflows and the report in docs/how-to/rehearse.md work as shown."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from sysconfig import get_path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.support.archives import wheel
from tests.support.markdown import blocks
from tests.support.rehearsal import ENVIRON, TWINE, rehearse, write
from tests.support.shown_output import assert_printed

if TYPE_CHECKING:
    from pytest_cloudrepo import ProjectFactory

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "rehearse.md"
WORKFLOWS = {re.findall(r"^# (\S+)", block.text)[0]: block.text for block in blocks(PAGE, "yaml")}
PREFIX = ["uvx", "--from", "pytest-cloudrepo[rehearse]"]


def commands(workflow: str, job: str) -> list[str]:
    """Return the commands of a job."""
    indent = "  " if "\njobs:" in workflow else ""
    [text] = re.findall(rf"^{indent}{job}:\n((?:{indent} +.*\n)+)", workflow, re.MULTILINE)
    return re.findall(r"^ +- (?:run: )?(uvx? .*)$", text, re.MULTILINE)


@pytest.mark.parametrize("path", WORKFLOWS)
def test_the_rehearsal_runs_the_commands_of_the_publishing_job(path: str) -> None:
    rehearsed, published = (commands(WORKFLOWS[path], job) for job in ("rehearse", "publish"))
    assert rehearsed[:-1] == published[:-1] == ["uv build"]
    _, _, command = rehearsed[-1].partition(" -- ")
    assert command.partition(" > ")[0] == published[-1]


@pytest.mark.parametrize("path", WORKFLOWS)
def test_the_rehearsal_of_the_workflow_succeeds(
    cloudrepo_project: ProjectFactory, tmp_path: Path, path: str
) -> None:
    rehearsal = shlex.split(commands(WORKFLOWS[path], "rehearse")[-1])
    assert rehearsal[:4] == [*PREFIX, "cloudrepo-server"]
    arguments = rehearsal[4 : rehearsal.index(">")] if ">" in rehearsal else rehearsal[4:]
    project = cloudrepo_project("demo", "1.0")
    shutil.copytree(project.folder, tmp_path / "demo")
    (tmp_path / "demo" / "dist").mkdir()
    for built in project.build():
        shutil.copy(built, tmp_path / "demo" / "dist")
    completed = subprocess.run(
        [sys.executable, "-m", "cloudrepo_server", *arguments],
        cwd=tmp_path / "demo",
        env={**ENVIRON, "PATH": os.pathsep.join([get_path("scripts"), ENVIRON["PATH"]])},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    if "junit" in arguments:
        suites = {suite.get("name"): suite for suite in ET.fromstring(completed.stdout)}  # noqa: S314 - our own XML
        assert len(suites) == 3
        assert list(ET.fromstring(completed.stdout).iter("failure")) == []  # noqa: S314
    else:
        assert completed.stdout.count("✓ pip installs it") == 2


def test_the_page_shows_the_report_of_its_example(tmp_path: Path) -> None:
    linux = wheel(filename="demo-1.0-py3-none-linux_x86_64.whl", module="x = 2\n")
    completed = rehearse("--", *TWINE, *write(tmp_path, wheel(), linux))
    assert completed.returncode == 1
    assert_printed(blocks(PAGE, "text")[0].text, completed.stdout)
