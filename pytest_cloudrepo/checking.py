"""Checks of a release by PyPI's rules, without an index and without a fixture."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_cloudrepo import _paths
from pytest_cloudrepo._programs import command, own_tools
from pytest_cloudrepo._programs.preloaded_tools import module_command
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from pytest_cloudrepo._paths import StrPath

_TIMEOUT: Final = 120.0
# The exit statuses after which every file was read: 0 without findings, 1 with findings.
_ALL_FILES_READ: Final = (0, 1)


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason for which PyPI would reject a file."""

    path: Path
    """The file."""
    rule: str
    """The name of the rule that the file breaks."""
    message: str
    """What PyPI would respond."""
    problem: str
    """What is wrong."""
    advice: str
    """How to correct the release."""

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.path.name}: {self.problem}: {self.advice}"


def check(
    *paths: StrPath, existing_project: bool = False, max_file_size: int | None = None
) -> list[Finding]:
    """Return the reasons for which PyPI would reject the files of a release, or an empty list.

    Needs the extra `pypi`: `python -m pip install "pytest-cloudrepo[pypi]"`.

    Args:
        paths: wheels and sdists, folders of them such as `dist`, or patterns such as `dist/*`.
        existing_project: whether the project is on PyPI already, so that the rules for the name
            of a new project do not apply.
        max_file_size: the largest file size in bytes, if PyPI raised the limit of the project.

    Raises:
        ValueError: there are no paths, or a pattern matches no file.
        CloudRepoError: a file cannot be read, or the extra `pypi` is missing.
    """
    __tracebackhide__ = True
    files = _paths.files(paths)
    options: list[str] = ["--existing-project"] if existing_project else []
    if max_file_size is not None:
        options += ["--max-file-size", str(max_file_size)]
    program = module_command("cloudrepo_server", "check", "--format", "json")
    result = command.run(
        [*program, *options, "--", *map(str, files)],
        environ=own_tools.environ(os.environ),
        timeout=_TIMEOUT,
        check=False,
    )
    reports = json.loads(result.stdout) if result.stdout.strip() else []
    if result.returncode not in _ALL_FILES_READ:
        errors = [
            f"{each['path']} cannot be read: {each['error']}" for each in reports if each["error"]
        ]
        raise CloudRepoError("; ".join(errors) or result.stderr.strip())
    return [
        Finding(
            Path(report["path"]),
            finding["rule"],
            finding["message"],
            finding["problem"],
            finding["advice"],
        )
        for report in reports
        for finding in report["findings"]
    ]
