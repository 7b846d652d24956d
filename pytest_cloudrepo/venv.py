"""Virtual environments that install packages from a repository."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import MetadataPathFinder, distributions
from typing import TYPE_CHECKING, Literal, Protocol

from packaging.utils import canonicalize_name

from cloudrepo_server import clients
from pytest_cloudrepo import _paths
from pytest_cloudrepo._programs import command, venv_templates
from pytest_cloudrepo._programs.secret import Secret, secret_in_url
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from pathlib import Path

    from cloudrepo_server.clients import Connection
    from pytest_cloudrepo._paths import StrPath
    from pytest_cloudrepo._programs.environment import Environment
    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.journal import Request


class Index(Protocol):
    """A package index to install from, such as a `Repository`."""

    @property
    def connection(self) -> Connection:
        """The index's URL and credentials."""

    @property
    def guard(self) -> Mapping[str, str]:
        """The environment variables that block every host but the index's."""

    @property
    def last_request(self) -> int | None:
        """The number of the newest request to the index; None if it is unknown."""

    def requests_of_program(self, *, since: int | None) -> list[Request]:
        """Return the requests after the one with this number; none if the number is None."""


class VirtualEnv:
    """A virtual environment whose programs do not see your own configuration of tools."""

    def __init__(
        self,
        folder: Path,
        *,
        python: StrPath | None = None,
        pip: bool = True,
        environment: Environment,
        app_data: Path,
        cache: Path | None = None,
        timeout: float,
    ) -> None:
        """Create the environment.

        Args:
            folder: the environment's folder, which must not exist.
            python: a version such as `3.12`, or the path of an interpreter. By default the
                Python that runs pytest.
            pip: whether to install pip.
            environment: the environment variables of its programs.
            app_data: a folder for templates, which several environments may share.
            cache: a folder that keeps templates for later sessions. By default none is used.
            timeout: the seconds after which each of its programs is stopped.

        Raises:
            CloudRepoError: no such Python is installed.
        """
        __tracebackhide__ = True
        self.folder = folder
        """The environment's folder."""
        self._environment = environment
        self._has_pip = pip
        self._timeout = timeout
        app_data.mkdir(parents=True, exist_ok=True)
        venv_templates.create(
            folder,
            python=python,
            pip=pip,
            environ=environment.scrubbed(),
            app_data=app_data,
            cache=cache,
            timeout=timeout,
        )

    def __repr__(self) -> str:
        return f"<VirtualEnv {self.folder}>"

    @property
    def scripts(self) -> Path:
        """The folder of the environment's programs."""
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> Path:
        """The path of the environment's Python."""
        return self.scripts / ("python.exe" if sys.platform == "win32" else "python")

    @property
    def environ(self) -> dict[str, str]:
        """The variables of programs in the environment, as after activating the environment."""
        environ = self._environment.scrubbed()
        path = os.pathsep.join(filter(None, [str(self.scripts), environ.get("PATH")]))
        return environ | {"PATH": path, "VIRTUAL_ENV": str(self.folder)}

    def install(
        self,
        *requirements: StrPath,
        index: Index | str | Sequence[Index | str] | None = None,
        installer: Literal["pip", "uv"] = "pip",
        check: bool = True,
    ) -> CommandResult:
        """Install packages from the given indexes, and from no other index.

        Args:
            requirements: requirements, files or patterns such as `dist/*`, and options of the
                installer. Relative paths are relative to the current folder, as in `upload`.
            index: a repository, the URL of an index, or a list of these. Without an index, only
                files can be installed. With several repositories, the network guard of the first
                one applies.
            installer: `pip`, which must be in this environment, or `uv`, which must be on the
                `PATH` or in the environment that runs pytest.
            check: whether to raise an exception if the installation fails.

        Raises:
            CommandError: the installation failed; the message has the installer's output and the
                requests that the server rejected meanwhile.
            CommandTimeout: the installation timed out.
            CloudRepoError: the installer is not installed.
        """
        __tracebackhide__ = True
        indexes = _as_list(index)
        repositories = [each for each in indexes if not isinstance(each, str)]
        urls = [_url(each) for each in indexes]
        environ = self.environ
        if urls:
            environ |= {
                name: Secret(value) for name, value in clients.index_variables(urls).items()
            }
        environ |= next((each.guard for each in repositories), {})
        last_requests = [each.last_request for each in repositories]
        result = command.run(
            [*self._installer(installer), *_paths.requirement_arguments(requirements)],
            # Otherwise uv would use the settings of a project in a parent folder.
            environ={**environ, "UV_NO_CONFIG": "1"},
            timeout=self._timeout,
            check=False,
            secrets=[secret_in_url(url) for url in urls],
        )
        if result.ok:
            return result
        from pytest_cloudrepo._programs.explanation import explain  # few programs fail

        requests = [
            request
            for repository, last_request in zip(repositories, last_requests, strict=True)
            for request in repository.requests_of_program(since=last_request)
        ]
        return explain(result, requests, check=check)

    def run(
        self, *arguments: StrPath, check: bool = True, cwd: StrPath | None = None
    ) -> CommandResult:
        """Run the environment's Python with these arguments.

        Args:
            arguments: the arguments after `python`: `"-c", "..."`, `"-m", "pip", ...`, or a script.
            check: whether to raise an exception if the exit status is not 0.
            cwd: the working directory. By default the environment's folder, so that nothing is
                imported from the folder of the tests.

        Raises:
            CommandError: the program failed.
            CommandTimeout: the program timed out.
        """
        __tracebackhide__ = True
        return command.run(
            [self.python, *map(_paths.absolute_argument, arguments)],
            environ=self.environ,
            cwd=cwd or self.folder,
            timeout=self._timeout,
            check=check,
        )

    def version(self, name: str) -> str | None:
        """Return the version of an installed project, or None if it is not installed."""
        libraries = "Lib" if sys.platform == "win32" else "lib/*"
        path = [str(folder) for folder in self.folder.glob(f"{libraries}/site-packages")]
        MetadataPathFinder().invalidate_caches()  # a class method only from Python 3.13 on
        found = distributions(name=canonicalize_name(name, validate=True), path=path)
        return next((distribution.version for distribution in found), None)

    def _installer(self, installer: str) -> list[str | Path]:
        if installer == "pip":
            if not self._has_pip:
                raise CloudRepoError(
                    "this environment has no pip: use installer='uv', or create it with pip=True"
                )
            # Without -I, modules in the current folder could replace those that pip imports. With
            # -I, Python ignores PYTHONIOENCODING.
            return [self.python, "-I", "-X", "utf8", "-m", "pip", "install"]
        if installer != "uv":
            raise ValueError(f"installer must be 'pip' or 'uv', not {installer!r}")
        return [_uv(), "pip", "install", "--python", self.python]


def _uv() -> str:
    """Return the path of uv on the PATH, or else of the uv package beside pytest."""
    program = shutil.which("uv")
    if program is not None:
        return program
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        raise CloudRepoError("uv is not installed: install it, or use installer='pip'") from None


def _as_list(index: Index | str | Sequence[Index | str] | None) -> list[Index | str]:
    if index is None:
        return []
    if isinstance(index, str) or not isinstance(index, Sequence):
        return [index]
    return list(index)


def _url(index: Index | str) -> Secret:
    if isinstance(index, str):
        return Secret(index)
    if not hasattr(index, "connection"):
        raise TypeError(f"index must be a repository or a URL, not {index!r}")
    return Secret(index.connection.index_url)
