"""A virtual environment that installs from a repository."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import MetadataPathFinder, distributions
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from cloudrepo_server import clients
from pytest_cloudrepo._programs import command, venv_templates
from pytest_cloudrepo._programs.result import CommandError
from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from pathlib import Path

    from cloudrepo_server.clients import Connection
    from pytest_cloudrepo._programs.environment import Environment
    from pytest_cloudrepo._programs.result import CommandResult


class Index(Protocol):
    """What packages are installed from: a `Repository`, or what is like one."""

    @property
    def connection(self) -> Connection:
        """Where it is, and the credentials that open it."""

    @property
    def guard(self) -> Mapping[str, str]:
        """The variables that keep a program from every other host."""

    def explain(self) -> str:
        """What the server refused, for people to read; empty if it refused nothing."""


class VirtualEnv:
    """A virtual environment of its own, in which nothing of the user's is seen."""

    def __init__(
        self,
        folder: Path,
        *,
        python: str | Path | None = None,
        pip: bool = True,
        environment: Environment,
        app_data: Path,
        timeout: float,
    ) -> None:
        """Make the environment.

        Args:
            folder: Where; it must not be there yet.
            python: A version such as `3.12`, or a path; this Python if not given.
            pip: Whether pip is in it.
            environment: What its programs see of the machine.
            app_data: A folder for what environments have in common, which may be shared.
            timeout: The seconds that each of its programs may take.

        Raises:
            CloudRepoError: There is no such Python.
        """
        __tracebackhide__ = True
        self.folder = folder
        """Where it is."""
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
            timeout=timeout,
        )

    def __repr__(self) -> str:
        return f"<VirtualEnv {self.folder}>"

    @property
    def scripts(self) -> Path:
        """The folder of its programs."""
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.scripts / ("python.exe" if sys.platform == "win32" else "python")

    @property
    def environ(self) -> dict[str, str]:
        """The complete environment of its programs, as if it had been activated."""
        environ = self._environment.scrubbed()
        path = os.pathsep.join(filter(None, [str(self.scripts), environ.get("PATH")]))
        return environ | {"PATH": path, "VIRTUAL_ENV": str(self.folder)}

    def install(
        self,
        *requirements: str | Path,
        index: Index | str | Sequence[Index | str] | None = None,
        installer: Literal["pip", "uv"] = "pip",
        check: bool = True,
    ) -> CommandResult:
        """Install from these indexes, and from no other.

        Args:
            requirements: Requirements, the paths of files, and the installer's own options.
            index: A repository, an index's URL, or several of them; without any, only files can
                be installed.
            installer: pip, the environment's own; or uv, which is sought on the PATH.
            check: Whether a failure raises.

        Raises:
            CommandError: The installation failed; it shows the output and what the server said.
            CommandTimeout: It took too long.
            CloudRepoError: The installer is not there.
        """
        __tracebackhide__ = True
        indexes = _listed(index)
        urls = [_url(one) for one in indexes]
        environ = self.environ
        if urls:
            environ |= {
                name: Secret(value) for name, value in clients.index_variables(urls).items()
            }
        environ |= next((one.guard for one in indexes if not isinstance(one, str)), {})
        result = command.run(
            [*self._installer(installer), *map(_absolute, requirements)],
            # The folder may lie below a project whose settings uv would take.
            environ={**environ, "UV_NO_CONFIG": "1"},
            cwd=self.folder,
            timeout=self._timeout,
            check=False,
            secrets=[_password(url) for url in urls],
        )
        if check and not result.ok:
            said = (one.explain() for one in indexes if not isinstance(one, str))
            raise CommandError(result, server_said="\n".join(filter(None, said)))
        return result

    def run(
        self, *arguments: str | Path, check: bool = True, cwd: str | Path | None = None
    ) -> CommandResult:
        """Run the environment's Python with these arguments.

        Args:
            arguments: What follows `python`: `"-c", "..."`, `"-m", "pip", ...`, or a script.
            check: Whether an exit status other than 0 raises.
            cwd: The folder to run in; the environment's own if not given, so that nothing is
                imported from where the tests are.

        Raises:
            CommandError: The program failed.
            CommandTimeout: It took too long.
        """
        __tracebackhide__ = True
        return command.run(
            [self.python, *map(_absolute, arguments)],
            environ=self.environ,
            cwd=cwd or self.folder,
            timeout=self._timeout,
            check=check,
        )

    def version(self, name: str) -> str | None:
        """Give the version of a project that is installed, or None if it is not."""
        libraries = "Lib" if sys.platform == "win32" else "lib/*"
        path = [str(folder) for folder in self.folder.glob(f"{libraries}/site-packages")]
        MetadataPathFinder().invalidate_caches()  # a class method only from Python 3.13 on
        found = distributions(name=canonicalize_name(name, validate=True), path=path)
        return next((distribution.version for distribution in found), None)

    def _installer(self, installer: str) -> list[str | Path]:
        if installer == "pip":
            if not self._has_pip:
                raise CloudRepoError(
                    "this environment was made without pip; it can be filled with installer='uv'"
                )
            return [self.python, "-m", "pip", "install"]
        if installer != "uv":
            raise ValueError(f"an installer is 'pip' or 'uv', not {installer!r}")
        if shutil.which("uv"):
            uv = ["uv"]
        elif find_spec("uv"):
            uv = [sys.executable, "-m", "uv"]
        else:
            raise CloudRepoError("uv is not installed: put it on the PATH, or use installer='pip'")
        return [*uv, "pip", "install", "--python", self.python]


def _listed(index: Index | str | Sequence[Index | str] | None) -> list[Index | str]:
    if index is None:
        return []
    if isinstance(index, str) or not isinstance(index, Sequence):
        return [index]
    return list(index)


def _url(index: Index | str) -> Secret:
    if isinstance(index, str):
        return Secret(index)
    if not hasattr(index, "connection"):
        raise TypeError(f"an index is a repository or a URL, not {index!r}")
    return Secret(index.connection.index_url)


def _password(url: str) -> str:
    return unquote(urlsplit(url).password or "")


def _absolute(argument: str | Path) -> str | Path:
    return argument if isinstance(argument, str) else argument.absolute()
