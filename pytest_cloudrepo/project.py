"""Source trees of projects, which `build` can build."""

from __future__ import annotations

import json
import shutil
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from pytest_cloudrepo._distributions import build_backend, build_system, validation
from pytest_cloudrepo._programs import command, own_tools
from pytest_cloudrepo._programs.preloaded_tools import module_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

_SUMMARY: Final = "A project made for a test"


class Project:
    """The source tree of a project, with a build backend that needs no network access."""

    def __init__(
        self,
        folder: Path,
        name: str,
        version: str,
        *,
        files: Mapping[str, str | bytes] | None = None,
        requires: Sequence[str] = (),
        setup_py: bool = False,
        environ: Mapping[str, str] | Callable[[], Mapping[str, str]],
        timeout: float,
    ) -> None:
        """Write the source tree.

        Args:
            folder: the project's folder, which must not exist.
            name: the project's name, normalized or not.
            version: the project's version.
            files: additional files, or replacements, by relative path. If none of them is a module
                or package with the project's name, a module with `__version__` is added.
            requires: the project's dependencies.
            setup_py: whether setuptools builds the project, from a `setup.py`. By default the
                project contains a build backend of its own.
            environ: the environment variables of builds, or a function that returns them for each
                build.
            timeout: the seconds after which a build is stopped.

        Raises:
            PackageError: the name, the version, a dependency or a path is invalid.
        """
        self.folder = folder
        """The project's folder, which belongs to the test."""
        self.name = validation.project_name(name)
        """The project's name, not normalized."""
        self.version = validation.project_version(version)
        """The project's version, normalized."""
        self._requires = [str(each) for each in validation.requirements(requires)]
        self._environ = environ
        self._timeout = timeout
        tree = validation.project_files(files)
        validation.check_writable(tree)
        self._has_own_pyproject = PurePosixPath("pyproject.toml") in tree
        for path, content in (self._skeleton(tree, setup_py=setup_py) | tree).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def __repr__(self) -> str:
        return f"<Project {self.name} {self.version} in {self.folder}>"

    @property
    def module(self) -> str:
        """The name of the project's default module."""
        return validation.module_name(self.name)

    def build(self, *, sdist: bool = True, wheel: bool = True) -> list[Path]:
        """Build the project with the program `build`, into its folder `dist`.

        Files of an earlier build are removed. Unchanged sources produce identical files, except for
        the sdist of a project with `setup.py`, in which setuptools stores the time.

        Args:
            sdist: whether to build an sdist.
            wheel: whether to build a wheel.

        Returns:
            The paths of the sdist and the wheel, in this order.

        Raises:
            CommandError: the build failed.
            CommandTimeout: the build timed out.
            ValueError: both `sdist` and `wheel` are False.
        """
        __tracebackhide__ = True
        if not (sdist or wheel):
            raise ValueError("sdist and wheel are both False: at least one of them must be True")
        dist = self.folder / "dist"
        # setuptools would copy files from build/ that were deleted from the sources.
        for old in (dist, self.folder / "build", *self.folder.glob("*.egg-info")):
            if old.is_dir():
                shutil.rmtree(old)
        # Without an option, `build` builds the wheel from the sdist.
        options = [] if sdist and wheel else ["--sdist" if sdist else "--wheel"]
        if not self._has_own_pyproject:
            # Everything that the backends need is installed, and the check takes time.
            options.append("--skip-dependency-check")
        environ = self._environ() if callable(self._environ) else self._environ
        command.run(
            [
                *module_command("build", "--no-isolation", *options),
                *("--outdir", dist, self.folder),
            ],
            environ={
                **own_tools.environ(environ),
                "SOURCE_DATE_EPOCH": str(build_backend.EARLIEST),
            },
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
