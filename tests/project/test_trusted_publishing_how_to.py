"""The workflows in docs/how-to/trusted-publishing.md publish, in the environment of their jobs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.markdown import blocks

if TYPE_CHECKING:
    from pytest_cloudrepo import ProjectFactory, Repository

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "trusted-publishing.md"
WORKFLOWS = {
    re.findall(r"^# (\S+)", block.text)[0]: block.text
    for block in blocks(PAGE)
    if block.language == "yaml"
}
# For each workflow of the page: the provider, its claims, and what the publishing job must contain.
JOBS: dict[str, tuple[str, dict[str, Any], str]] = {
    ".github/workflows/release.yml": (
        "github",
        {"repository": "acme/demo", "workflow": "release.yml"},
        "id-token: write",
    ),
    ".gitlab-ci.yml": ("gitlab", {"repository": "acme/demo"}, "PYPI_ID_TOKEN:"),
}


def job_of(workflow: str, name: str) -> str:
    """Return the text of one job of a workflow."""
    indent = "  " if "\njobs:" in workflow else ""
    found = re.findall(rf"^{indent}{name}:\n((?:{indent} +.*\n)+)", workflow, re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def commands(job: str) -> list[list[str]]:
    """Return the commands that a job runs."""
    return [
        shlex.split(command)
        for command in re.findall(r"^ +- (?:run: )?((?:uv|twine) .*)$", job, re.MULTILINE)
    ]


def test_the_page_has_a_workflow_for_each_provider() -> None:
    assert WORKFLOWS.keys() == JOBS.keys()


@pytest.mark.parametrize("path", JOBS)
def test_the_commands_of_the_job_publish(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, path: str
) -> None:
    provider, claims, permission = JOBS[path]
    job = job_of(WORKFLOWS[path], "publish")
    assert permission in job
    (environment,) = re.findall(r"^ +environment: (\w+)$", job, re.MULTILINE)
    cloudrepo.trust(provider, project="demo", environment=environment, **claims)
    environ = cloudrepo.ci_environ(provider, environment=environment, **claims)
    project = cloudrepo_project("demo", "1.0")
    assert [command[1] for command in commands(job)] == ["build", "publish"]
    for command in commands(job):
        cloudrepo.run(*command, environ=environ, cwd=project.folder)
    assert cloudrepo.versions("demo") == ["1.0"]
    assert len(cloudrepo.files("demo")) == 2


@pytest.mark.parametrize("path", JOBS)
def test_the_rehearsal_runs_a_test_with_the_extra(path: str) -> None:
    (command,) = commands(job_of(WORKFLOWS[path], "rehearse"))
    assert command == [
        *("uv", "run", "--with", "pytest-cloudrepo[trust]"),
        *("pytest", "tests/test_release_job.py"),
    ]
