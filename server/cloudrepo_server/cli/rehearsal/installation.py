"""Installs each uploaded file with pip in a new virtual environment, from the rehearsed index."""

import asyncio
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from cloudrepo_server.cli.rehearsal.interruption import Interruption
from cloudrepo_server.cli.rehearsal.program import run_program
from cloudrepo_server.cli.rehearsal.report import Installation
from cloudrepo_server.models import File

_MAX_OUTPUT = 20_000
_FIRST_PIP = Version("22.3")
_INSTALLED = Installation("installed")
INTERRUPTED = Installation("skipped", "not tried: the rehearsal was interrupted")
"""A file that was not installed because of an interruption."""


class Installer:
    """An installer that runs pip, in a new virtual environment for each file."""

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        interruption: Interruption,
        *,
        simple_url: str,
        with_dependencies: bool,
        secrets: Sequence[str],
    ) -> None:
        """Prepare the installations.

        Args:
            folder: an empty folder for virtual environments.
            environ: the environment of pip, in which it reaches the index.
            interruption: ends an installation early.
            simple_url: the URL of the index, for installers.
            with_dependencies: whether the index has the dependencies of the files too.
            secrets: texts that the output of pip must not contain.
        """
        self._folder = folder
        self._environ = environ
        self._interruption = interruption
        self._simple_url = simple_url
        self.with_dependencies = with_dependencies
        """Whether the index has the dependencies of the files too."""
        self._secrets = secrets
        self._pip: list[str | Path] | None = None
        self._environments = 0

    async def install(self, project: str, file: File) -> Installation:
        """Install one file, and return the result.

        Args:
            project: the normalized name of its project.
            file: the file.
        """
        reason = why_not_installable(file)
        if reason is not None:
            return Installation("skipped", reason)
        pip = await self._find_pip()
        if isinstance(pip, Installation):
            return pip
        self._environments += 1
        environment = self._folder / f"environment-{self._environments}"
        failed = await self._create_environment(environment)
        if failed is not None:
            return failed
        # The digest makes pip install this file, and no other file of the release.
        requirements = environment / "requirements.txt"
        requirement = f"{project}=={file.version}"
        requirements.write_text(f"{requirement} --hash=sha256:{file.sha256}\n", encoding="utf-8")
        install: list[str | Path] = [
            *(*pip, "--python", environment, "install"),
            *("--index-url", self._simple_url, "--no-input", "--progress-bar", "off"),
        ]
        failed = await self._run(*install, "--no-deps", "--requirement", requirements)
        if failed is None and self.with_dependencies:
            failed = await self._run(*install, requirement)
        return failed or _INSTALLED

    async def _find_pip(self) -> list[str | Path] | Installation:
        # The pip of one environment installs into all others, so they need no pip of their own.
        if self._pip is None:
            if _has_own_pip():
                self._pip = [sys.executable, "-P", "-m", "pip"]
                return self._pip
            folder = self._folder / "pip"
            failed = await self._create_environment(folder, with_pip=True)
            if failed is not None:
                return failed
            python = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
            self._pip = [folder / python, "-P", "-m", "pip"]
        return self._pip

    async def _create_environment(
        self, folder: Path, *, with_pip: bool = False
    ) -> Installation | None:
        """Create a virtual environment; return None, or the failed installation."""
        command: list[str | Path] = ["venv", "--without-pip"]
        # Some Pythons have no venv, such as the embeddable Python for Windows. Others cannot add
        # pip with it, such as Debian's. virtualenv is slower.
        if with_pip or find_spec("venv") is None:
            command = ["virtualenv", "--quiet", "--app-data", self._folder / "app-data"]
            command += ["--activators", "", "--no-download", "--no-periodic-update"]
            command += ["--no-setuptools"] if with_pip else ["--no-seed"]
        return await self._run(sys.executable, "-P", "-m", *command, folder)

    async def _run(self, *arguments: str | Path) -> Installation | None:
        """Run a program; return None, or the failed installation."""
        # A file instead of a pipe: a program that is left running would keep a pipe open.
        with TemporaryFile() as output:
            status = await run_program(
                [*map(str, arguments)],
                self._environ,
                self._interruption,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                # Programs that a build runs must not find the files of the user's project.
                cwd=self._folder,
            )
            if self._interruption.signal is not None:
                return INTERRUPTED
            if status == 0:
                return None
            output.seek(0)
            text = output.read().decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return Installation("failed", _reason(text), text[-_MAX_OUTPUT:])


def why_not_installable(file: File) -> str | None:
    """Return why a file cannot be installed with this Python on this machine, or None."""
    if file.filename.endswith(".whl"):
        try:
            *_, tags = parse_wheel_filename(file.filename)
        except InvalidWheelFilename:
            return None
        if tags.isdisjoint(sys_tags()):
            return f"not tried: it is for other platforms ({', '.join(sorted(map(str, tags)))})"
    version = platform.python_version()
    try:
        required = SpecifierSet(file.requires_python or "")
    except InvalidSpecifier:
        return None
    if not required.contains(version, prereleases=True):
        return f"not tried: it requires Python {required}, and this is Python {version}"
    return None


def _has_own_pip() -> bool:
    """Return whether this Python has a pip that can install into another environment."""
    try:
        return Version(metadata.version("pip")) >= _FIRST_PIP
    except (metadata.PackageNotFoundError, InvalidVersion):
        return False


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    # pip writes the errors of a build in small letters, the most specific one first.
    errors += [line for line in lines if line.startswith("error: ")][-1:]
    shown = errors[0] if errors else next(reversed(lines), "no output")
    return " ".join(shown.partition(": ")[2].split() if errors else shown.split())
