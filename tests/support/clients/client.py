"""Clients, and the environments in which each of them is installed, kept from run to run."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock
from packaging.version import Version

from tests.support.clients import machine, pythons
from tests.support.clients.newest import newest

if TYPE_CHECKING:
    from collections.abc import Sequence

NEWEST: Final = "newest"
LAST: Final = pythons.KNOWN[-1]

# uv installs for Pythons from here on.
UV_SUPPORTS: Final = Version("3.8")


@dataclass(frozen=True, slots=True)
class Client:
    """A program that talks to indexes, in one version."""

    name: str
    version: str
    python: str
    """The oldest Python that runs it."""
    last_python: str = LAST
    """The newest that does."""
    beside: tuple[str, ...] = ()
    """Requirements that are installed with it."""
    whatever: tuple[str, ...] = ()
    """What it requires in a version that the index may not have, and that does not matter here."""

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class Installed:
    """A client in an environment of its own."""

    name: str
    version: str
    python_version: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def python(self) -> Path:
        """The Python that it runs on."""
        return program(self.folder, "python")

    def program(self, name: str) -> Path:
        """One of its programs."""
        return program(self.folder, name)


def program(environment: Path, name: str) -> Path:
    """A program of a virtual environment."""
    if sys.platform == "win32":
        return environment / "Scripts" / f"{name}.exe"
    return environment / "bin" / name


def install(client: Client, cache: Path) -> Installed:
    """Install a client, unless it was installed before.

    Args:
        client: which.
        cache: the folder that keeps what is installed.

    Raises:
        LookupError: no Python that runs it is at hand.
        CommandError: it cannot be installed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    python_version, python = pythons.oldest(client.python, client.last_python, cache / "pythons")
    version = newest(client.name, cache) if client.version == NEWEST else client.version
    name = f"{client.name}-{version}-py{python_version}"
    installed = Installed(client.name, version, python_version, cache / name)
    requirements = [f"{client.name}=={version}", *client.beside]
    # Written last, so that an environment without it is one that was not finished.
    stamp = installed.folder / "installed.json"
    made_of = [str(python), python.stat().st_mtime_ns, requirements, [*client.whatever]]
    with FileLock(cache / f"{name}.lock"):
        if not stamp.is_file() or json.loads(stamp.read_text("utf-8")) != made_of:
            shutil.rmtree(installed.folder, ignore_errors=True)
            _make(installed, python, requirements, client.whatever)
            stamp.write_text(json.dumps(made_of), "utf-8")
    return installed


def _make(
    installed: Installed, python: Path, requirements: Sequence[str], whatever: Sequence[str]
) -> None:
    if Version(installed.python_version) < UV_SUPPORTS:
        _make_old(installed, python, requirements)
        return
    machine.run_uv("venv", "--quiet", "--python", python, installed.folder)
    overrides = installed.folder / "overrides.txt"
    overrides.write_text("\n".join(whatever), "utf-8")
    machine.run_uv(
        *("pip", "install", "--quiet", "--python", str(installed.python)),
        *("--overrides", str(overrides), *requirements),
    )


def _make_old(installed: Installed, python: Path, requirements: Sequence[str]) -> None:
    maker = install(_OLD_VIRTUALENV, installed.folder.parent)
    machine.run(
        *(maker.program(maker.name), "--quiet", "--no-download", "--no-periodic-update"),
        *("--python", python, installed.folder),
    )
    machine.run(installed.python, "-m", "pip", "install", "--quiet", *requirements)


# The last virtualenv that makes environments of Pythons before 3.7.
_OLD_VIRTUALENV: Final = Client("virtualenv", "20.21.1", "3.8", "3.11")
