"""The publishing action of the Python Packaging Authority, run without its container."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.clients.client import Client
from tests.support.clients.uploaders import Uploader

if TYPE_CHECKING:
    from tests.support.clients.client import InstalledClient
    from tests.support.clients.uploaders import ProjectTree

FOLDER: Final = "CLOUDREPO_PUBLISHING_ACTION"
"""The variable that names a clone of the repository of the action."""
SCRIPT: Final = Path(__file__).with_name("publishing_action.sh")
# Attestations are signed by a service on the internet.
INPUTS: Final = {"attestations": "false", "print-hash": "true", "packages-dir": "dist"}


@dataclass(frozen=True, slots=True)
class PublishingAction(Uploader):
    """The shell script of the action and the Python files that it runs, with the action's inputs.

    The programs are those of the action's requirements, in the versions that it pins.
    """

    folder: Path = Path()

    def command(self, installed: InstalledClient, tree: ProjectTree) -> list[str | Path]:
        """Return the command that uploads the files, to be run in the project's folder."""
        user_base = tree.folder.with_name(f"{tree.folder.name}-user")
        programs = user_base / "bin"
        programs.mkdir(parents=True)
        twine = programs / "twine"
        # The script sets HOME to the home folder in its container.
        twine.write_text(f'#!/bin/sh\nHOME={tree.folder} exec {installed.program("twine")} "$@"\n')
        twine.chmod(0o755)
        variables = {
            "ACTION_FOLDER": self.folder,
            "ACTION_PYTHON": installed.python,
            "ACTION_USER_BASE": user_base,
            "PYTHONPATH": "",
            **{f"INPUT_{name.upper()}": value for name, value in self._inputs().items()},
        }
        assignments = [f"{name}={value}" for name, value in variables.items()]
        return ["env", *assignments, "bash", SCRIPT]

    def title(self, installed: InstalledClient) -> InstalledClient:
        """Return the action with its version, as the table shows it."""
        return replace(installed, name="pypi-publish", version=_version(self.folder))

    def _inputs(self) -> dict[str, str]:
        import yaml  # noqa: PLC0415 (only the tests of the clients need it)

        described: dict[str, Any] = yaml.safe_load((self.folder / "action.yml").read_text("utf-8"))
        inputs = {name: value.get("default", "") for name, value in described["inputs"].items()}
        return {**inputs, **{name: text for name, text in INPUTS.items() if name in inputs}}


def find_action() -> PublishingAction | None:
    """Return the action in the folder that the environment names, or None if it names none."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return None
    path = Path(folder).resolve()
    pins = _pins(path / "requirements" / "runtime.txt")
    [python] = re.findall(r"(?m)^FROM python:(\d+\.\d+)", (path / "Dockerfile").read_text("utf-8"))
    others = tuple(f"{name}=={version}" for name, version in pins.items() if name != "twine")
    client = Client("twine", pins["twine"], python, python, additional=others)
    return PublishingAction(client, "twine", (), folder=path)


def why_skipped() -> str | None:
    """Return why the action cannot be run, or None if it can."""
    if not sys.platform.startswith("linux"):
        return "the publishing action runs on Linux only"
    if not os.environ.get(FOLDER):
        return f"{FOLDER} does not name a clone of the publishing action"
    return None


def _pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([\w.-]+)==([\w.]+)", path.read_text("utf-8")))


@cache
def _version(folder: Path) -> str:
    git = shutil.which("git") or "git"
    described = subprocess.run(
        [git, "-C", folder, "describe", "--tags", "--always"],
        check=True,
        capture_output=True,
        text=True,
    )
    return described.stdout.strip().removeprefix("v")
