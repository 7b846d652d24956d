"""Create virtual environments quickly: virtualenv creates one template, which is then copied."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from pytest_cloudrepo import _paths
from pytest_cloudrepo._programs import command, own_tools
from pytest_cloudrepo._programs.preloaded_tools import module_command
from pytest_cloudrepo._programs.template_cache import TemplateCache
from pytest_cloudrepo._versions import sort_versions
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_cloudrepo._paths import StrPath

# Increase this number when templates change: all releases of this plugin share the cache.
_FORMAT: Final = 1
# The first lines of a script that runs with the Python in its own folder, wherever that folder is.
# The shell sees an `exec`; Python sees a string.
_RELOCATABLE: Final = b"""\
#!/bin/sh
'''exec' "$(dirname -- "$0")/python" "$0" "$@"
' '''
"""


def create(
    folder: Path,
    *,
    python: StrPath | None,
    pip: bool,
    environ: Mapping[str, str],
    app_data: Path,
    cache: Path | None,
    timeout: float,
) -> None:
    """Create a virtual environment.

    Args:
        folder: the environment's folder, which must not exist.
        python: a version such as `3.12`, or the path of an interpreter. By default the
            Python that runs pytest.
        pip: whether to install pip.
        environ: the environment variables for virtualenv.
        app_data: the session's folder for templates.
        cache: the folder that keeps templates for later sessions, or None to keep none.
        timeout: the seconds after which virtualenv is stopped.

    Raises:
        CloudRepoError: no such Python is installed.
        CommandError: virtualenv failed.
        CommandTimeout: virtualenv timed out.
    """
    if python is None:
        interpreter = Path(sys.executable)
    else:
        interpreter = _find(_paths.interpreter(python), app_data)
    templates = _Templates(interpreter, pip, environ, app_data, cache, timeout)
    if sys.platform == "win32":
        # Scripts are executables that contain the path of their environment, so a copy fails.
        templates.virtualenv(folder)
    else:
        shutil.copytree(templates.template(), folder, symlinks=True, copy_function=_link)


@dataclass(frozen=True, slots=True)
class _Templates:
    """The templates of environments with the same Python, with or without pip."""

    interpreter: Path
    pip: bool
    environ: Mapping[str, str]
    app_data: Path
    cache: Path | None
    timeout: float

    def template(self) -> Path:
        """Return the folder of the template; create the template if it does not exist."""
        template = self.app_data / "templates" / self._key()
        template.parent.mkdir(parents=True, exist_ok=True)
        if template.is_dir():
            return template
        with FileLock(f"{template}.lock"):
            if not template.is_dir():
                unfinished = template.with_name(f"{template.name}.unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)
                self._restore_or_create(unfinished)
                unfinished.rename(template)
        return template

    def _restore_or_create(self, folder: Path) -> None:
        cache = None if self.cache is None else TemplateCache(self.cache)
        if cache is not None and cache.restore(self._key(), folder):
            return
        self.virtualenv(folder)
        _relocate(folder / "bin")
        self._compile(folder)
        if cache is not None:
            cache.store(self._key(), folder)

    def virtualenv(self, folder: Path) -> None:
        """Create an environment with virtualenv itself."""
        self._run(
            *module_command("virtualenv", "--quiet"),
            *("--python", self.interpreter, "--app-data", self.app_data),
            *("--no-download", "--no-periodic-update", "--activators", ""),
            *("--no-setuptools" if self.pip else "--no-seed", folder),
            environ=own_tools.environ(self.environ),
        )

    def _compile(self, folder: Path) -> None:
        # Otherwise the first run of pip in each copy compiles pip, and takes twice as long.
        python = folder / "bin" / "python"
        compileall = (python, "-m", "compileall", "-q", folder / "lib")
        self._run(*compileall, environ=self.environ, check=False)

    def _run(self, *arguments: str | Path, environ: Mapping[str, str], check: bool = True) -> None:
        command.run(
            arguments, environ=environ, cwd=self.app_data, timeout=self.timeout, check=check
        )

    def _key(self) -> str:
        from importlib.metadata import version  # slow, and not always needed

        # The same for all virtual environments of one Python, such as those of tox.
        interpreter = self.interpreter.resolve()
        about = interpreter.stat()
        kind = [_FORMAT, interpreter, about.st_mtime_ns, about.st_size, self.pip]
        kind.append(version("virtualenv"))  # which contains the pip that it installs
        return hashlib.sha256(repr(kind).encode()).hexdigest()[:16]


def _find(python: str, app_data: Path) -> Path:
    from python_discovery import (  # slow, and rarely needed
        DiskCache,
        get_interpreter,
        iter_interpreters,
    )

    # Other Pythons are found with the user's own environment variables. pyenv hides versions that
    # are not selected, so all of them are selected.
    environ = dict(os.environ)
    if "PYENV_ROOT" in environ:
        versions = Path(environ["PYENV_ROOT"], "versions")
        environ["PYENV_VERSION"] = ":".join(sorted(path.name for path in versions.glob("*")))
    cache = DiskCache(app_data)
    found = get_interpreter(python, cache=cache, env=environ)
    if found is None:
        installed = {each.version_str for each in iter_interpreters(cache=cache, env=environ)}
        raise CloudRepoError(
            f"Python {python!r} not found; the installed Pythons are "
            f"{', '.join(sort_versions(installed))}"
        )
    return Path(found.system_executable or found.executable)


def _relocate(scripts: Path) -> None:
    """Make scripts run with the Python in their own folder, so that they can be copied."""
    for script in scripts.iterdir():
        source = b"" if script.is_symlink() else script.read_bytes()
        if not source.startswith(b"#!"):
            continue
        # distlib writes one line, or three lines if the path is long or contains spaces.
        first, _, rest = source.partition(b"\n")
        if first == b"#!/bin/sh":
            rest = rest.split(b"\n", 2)[2]
        script.write_bytes(_RELOCATABLE + rest)


def _link(source: str, target: str) -> None:
    # Hard links are safe: installers replace files and do not change them. uv's cache relies on
    # this too.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
