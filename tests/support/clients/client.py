"""Clients, and the virtual environments in which they are installed and cached."""

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
NEWEST_PYTHON: Final = pythons.KNOWN[-1]

# The oldest Python for which uv installs packages.
UV_SUPPORTS: Final = Version("3.8")


@dataclass(frozen=True, slots=True)
class Client:
    """One version of a program that uploads to package indexes or installs from them."""

    name: str
    version: str
    """A version, or `NEWEST`."""
    oldest_python: str
    newest_python: str = NEWEST_PYTHON
    additional: tuple[str, ...] = ()
    """Requirements to install together with the client."""
    unconstrained: tuple[str, ...] = ()
    """Requirements of the client that may be installed in any version."""

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class InstalledClient:
    """A client in a virtual environment of its own."""

    name: str
    version: str
    python_version: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def python(self) -> Path:
        """Return the path of the environment's Python."""
        return program(self.folder, "python")

    def program(self, name: str) -> Path:
        """Return the path of one of the environment's programs."""
        return program(self.folder, name)


def program(environment: Path, name: str) -> Path:
    """Return the path of a program in a virtual environment."""
    if sys.platform == "win32":
        return environment / "Scripts" / f"{name}.exe"
    return environment / "bin" / name


def install(client: Client, cache: Path) -> InstalledClient:
    """Install a client with the oldest Python that it supports, or reuse an earlier installation.

    Args:
        client: The client to install.
        cache: The folder that keeps the installed clients.

    Raises:
        LookupError: This machine has no Python that the client supports.
        CommandError: The installation failed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    python_version, python = pythons.oldest(
        client.oldest_python, client.newest_python, cache / "pythons"
    )
    version = newest(client.name, cache) if client.version == NEWEST else client.version
    name = f"{client.name}-{version}-py{python_version}"
    installed = InstalledClient(client.name, version, python_version, cache / name)
    requirements = [f"{client.name}=={version}", *client.additional]
    # Written after the installation, so that an environment without this file is incomplete.
    stamp = installed.folder / "installed.json"
    inputs = [str(python), python.stat().st_mtime_ns, requirements, [*client.unconstrained]]
    with FileLock(cache / f"{name}.lock"):
        if not stamp.is_file() or json.loads(stamp.read_text("utf-8")) != inputs:
            shutil.rmtree(installed.folder, ignore_errors=True)
            _create(installed, python, requirements, client.unconstrained)
            stamp.write_text(json.dumps(inputs), "utf-8")
    return installed


def _create(
    installed: InstalledClient,
    python: Path,
    requirements: Sequence[str],
    unconstrained: Sequence[str],
) -> None:
    if Version(installed.python_version) < UV_SUPPORTS:
        _create_for_old_python(installed, python, requirements)
        return
    machine.run_uv("venv", "--quiet", "--python", python, installed.folder)
    overrides = installed.folder / "overrides.txt"
    overrides.write_text("\n".join(unconstrained), "utf-8")
    machine.run_uv(
        *("pip", "install", "--quiet", "--python", str(installed.python)),
        *("--overrides", str(overrides), *requirements),
    )


def _create_for_old_python(
    installed: InstalledClient, python: Path, requirements: Sequence[str]
) -> None:
    virtualenv = install(_OLD_VIRTUALENV, installed.folder.parent)
    machine.run(
        *(virtualenv.program(virtualenv.name), "--quiet", "--no-download"),
        *("--no-periodic-update", "--python", python, installed.folder),
    )
    machine.run(installed.python, "-m", "pip", "install", "--quiet", *requirements)


# The last virtualenv that creates environments for Python before 3.7.
_OLD_VIRTUALENV: Final = Client("virtualenv", "20.21.1", "3.8", "3.11")
