"""Virtual environments fast: one is made by virtualenv, and the others are its copies."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock
from packaging.version import Version

from pytest_cloudrepo._programs import command
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from collections.abc import Mapping

# A script's first lines, which find the Python beside it wherever it lies: to the shell an exec,
# to Python a string.
_RELOCATABLE: Final = b"""\
#!/bin/sh
'''exec' "$(dirname -- "$0")/python" "$0" "$@"
' '''
"""


def create(
    folder: Path,
    *,
    python: str | Path | None,
    pip: bool,
    environ: Mapping[str, str],
    app_data: Path,
    timeout: float,
) -> None:
    """Make a virtual environment.

    Args:
        folder: Where; it must not be there yet.
        python: A version such as `3.12`, or a path; this Python if not given.
        pip: Whether pip is in it.
        environ: The environment that virtualenv runs in.
        app_data: A folder for what environments have in common, which lasts and may be shared.
        timeout: The seconds that virtualenv may take.

    Raises:
        CloudRepoError: There is no such Python.
        CommandError: virtualenv failed.
        CommandTimeout: virtualenv took too long.
    """
    interpreter = Path(sys.executable) if python is None else _find(str(python), app_data)
    maker = _Maker(interpreter, pip, environ, app_data, timeout)
    if sys.platform == "win32":
        # Its scripts are programs that hold the path of their environment.
        maker.virtualenv(folder)
    else:
        shutil.copytree(maker.template(), folder, symlinks=True, copy_function=_link)


@dataclass(frozen=True, slots=True)
class _Maker:
    """What virtualenv makes environments of one kind with."""

    interpreter: Path
    pip: bool
    environ: Mapping[str, str]
    app_data: Path
    timeout: float

    def template(self) -> Path:
        """Give the environment that others are copied from, made now if it is the first."""
        template = self.app_data / "templates" / self._key()
        template.parent.mkdir(parents=True, exist_ok=True)
        if template.is_dir():
            return template
        with FileLock(f"{template}.lock"):
            if not template.is_dir():
                unfinished = template.with_name(f"{template.name}.unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)
                self.virtualenv(unfinished)
                _relocate(unfinished / "bin")
                self._compile(unfinished)
                unfinished.rename(template)
        return template

    def virtualenv(self, folder: Path) -> None:
        self._run(
            *(sys.executable, "-P", "-m", "virtualenv", "--quiet"),
            *("--python", self.interpreter, "--app-data", self.app_data),
            *("--no-download", "--no-periodic-update", "--activators", ""),
            *("--no-setuptools" if self.pip else "--no-seed", folder),
        )

    def _compile(self, folder: Path) -> None:
        # Without it, pip's first run in each environment would do it, and take twice as long.
        self._run(folder / "bin" / "python", "-m", "compileall", "-q", folder / "lib", check=False)

    def _run(self, *arguments: str | Path, check: bool = True) -> None:
        command.run(
            arguments, environ=self.environ, cwd=self.app_data, timeout=self.timeout, check=check
        )

    def _key(self) -> str:
        from importlib.metadata import version  # slow, and not always needed

        about = self.interpreter.stat()
        kind = [self.interpreter, about.st_mtime_ns, about.st_size, self.pip]
        kind.append(version("virtualenv"))
        return hashlib.sha256(repr(kind).encode()).hexdigest()[:16]


def _find(python: str, app_data: Path) -> Path:
    from python_discovery import (  # slow, and seldom needed
        DiskCache,
        get_interpreter,
        iter_interpreters,
    )

    # The user's own environment, as it says where other Pythons are; and pyenv finds those that it
    # has put away only where it is told to use them.
    environ = dict(os.environ)
    if "PYENV_ROOT" in environ:
        versions = Path(environ["PYENV_ROOT"], "versions")
        environ["PYENV_VERSION"] = ":".join(sorted(path.name for path in versions.glob("*")))
    cache = DiskCache(app_data)
    found = get_interpreter(python, cache=cache, env=environ)
    if found is None:
        there = {one.version_str for one in iter_interpreters(cache=cache, env=environ)}
        raise CloudRepoError(
            f"there is no Python {python!r} here; those found are "
            + ", ".join(sorted(there, key=Version))
        )
    return Path(found.system_executable or found.executable)


def _relocate(scripts: Path) -> None:
    """Let an environment's scripts find its Python wherever they are copied to."""
    for script in scripts.iterdir():
        source = b"" if script.is_symlink() else script.read_bytes()
        if not source.startswith(b"#!"):
            continue
        # distlib's own beginning is one line, or three where the path is long or has blanks.
        first, _, rest = source.partition(b"\n")
        if first == b"#!/bin/sh":
            rest = rest.split(b"\n", 2)[2]
        script.write_bytes(_RELOCATABLE + rest)


def _link(source: str, target: str) -> None:
    # Programs replace the files of an environment, they do not write into them: uv's cache relies
    # on the same.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
