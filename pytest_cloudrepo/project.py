"""A source tree that `build` builds."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from pytest_cloudrepo._distributions import build_backend, build_system, validation
from pytest_cloudrepo._programs import command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_SUMMARY: Final = "A project made for a test"


class Project:
    """A source tree on disk, with a build backend that needs no network."""

    def __init__(
        self,
        folder: Path,
        name: str,
        version: str,
        *,
        files: Mapping[str, str | bytes] | None = None,
        requires: Sequence[str] = (),
        setup_py: bool = False,
        environ: Mapping[str, str],
        timeout: float,
    ) -> None:
        """Write the tree.

        Args:
            folder: Where; it must not be there yet.
            name: The project's name, as people write it.
            version: Its version.
            files: More files, or others: relative paths and their content. Without any, there is
                one module, named as the project is, which has `__version__`.
            requires: What it depends on.
            setup_py: Whether it is built by setuptools, from a setup.py, and not by a backend of
                its own.
            environ: The environment that it is built in.
            timeout: The seconds that a build may take.

        Raises:
            PackageError: The name, version, a requirement or a path is not a valid one.
        """
        self.folder = folder
        """Where the tree is."""
        self.name = validation.project_name(name)
        """The project's name, as it was given."""
        self.version = validation.project_version(version)
        """Its version, normalized."""
        self._requires = [str(one) for one in validation.requirements(requires)]
        self._environ = environ
        self._timeout = timeout
        tree = validation.project_files(files)
        self._has_own_pyproject = PurePosixPath("pyproject.toml") in tree
        for path, content in (self._skeleton(tree, setup_py=setup_py) | tree).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def __repr__(self) -> str:
        return f"<Project {self.name} {self.version} in {self.folder}>"

    @property
    def module(self) -> str:
        """The name that it is imported by."""
        return validation.module_name(self.name)

    def build(self, *, sdist: bool = True, wheel: bool = True) -> list[Path]:
        """Build the tree as it is now, with the program `build`, into its folder `dist`.

        What was built before is replaced. Unchanged sources give the same bytes again, except for
        the sdist of a setup.py project, in which setuptools notes the time.

        Returns:
            The sdist, then the wheel.

        Raises:
            CommandError: The build failed.
            CommandTimeout: The build took too long.
            ValueError: Neither sdist nor wheel is asked for.
        """
        __tracebackhide__ = True
        if not (sdist or wheel):
            raise ValueError("a build makes an sdist, a wheel or both: one of them must be True")
        dist = self.folder / "dist"
        # setuptools would take from build/ what has since gone from the tree.
        for old in (dist, self.folder / "build", *self.folder.glob("*.egg-info")):
            if old.is_dir():
                shutil.rmtree(old)
        # For both, `build` is given neither option: it makes the wheel from the sdist then.
        options = [] if sdist and wheel else ["--sdist" if sdist else "--wheel"]
        if not self._has_own_pyproject:
            # What the backend requires is there, and asking it costs time.
            options.append("--skip-dependency-check")
        command.run(
            [
                *(sys.executable, "-P", "-m", "build", "--no-isolation", *options),
                *("--outdir", dist, self.folder),
            ],
            environ={**self._environ, "SOURCE_DATE_EPOCH": str(build_backend.EARLIEST)},
            timeout=self._timeout,
        )
        return sorted(dist.iterdir(), key=lambda path: path.suffix == ".whl")

    def _skeleton(
        self, tree: Mapping[PurePosixPath, bytes], *, setup_py: bool
    ) -> dict[PurePosixPath, bytes]:
        skeleton: dict[str, str | bytes] = {}
        package = {PurePosixPath(self.module), PurePosixPath("src") / self.module}
        if not any(package.intersection(path.parents) for path in tree):
            skeleton[f"{self.module}.py"] = f'__version__ = "{self.version}"\n'
        if setup_py:
            modules = {PurePosixPath(path) for path in skeleton}
            skeleton["setup.py"] = self._setup_py(modules.union(tree))
        else:
            skeleton["pyproject.toml"] = self._pyproject()
            skeleton[build_system.BACKEND] = build_system.backend()
        return validation.project_files(skeleton)

    def _pyproject(self) -> str:
        return f"""\
{build_system.TABLE}
[project]
name = "{self.name}"
version = "{self.version}"
description = "{_SUMMARY}"
requires-python = ">=3.8"
dependencies = {json.dumps(self._requires, ensure_ascii=False)}
"""

    def _setup_py(self, tree: Iterable[PurePosixPath]) -> str:
        modules = [path for path in tree if path.suffix == ".py" and _is_installed(path)]
        packages = {".".join(path.parts[:-1]) for path in modules if len(path.parts) > 1}
        return f"""\
from setuptools import setup

setup(
    name={self.name!r},
    version={self.version!r},
    description={_SUMMARY!r},
    python_requires=">=3.8",
    install_requires={self._requires!r},
    py_modules={sorted(path.stem for path in modules if len(path.parts) == 1)!r},
    packages={sorted(packages)!r},
    package_data={{"": ["**/*"]}},
)
"""


def _is_installed(path: PurePosixPath) -> bool:
    return not build_backend.NOT_MODULES.fullmatch(path.parts[0])
