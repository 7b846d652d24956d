"""The programs that upload, and how each of them is asked to."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.clients import catalogue
from tests.support.clients.releases import EVERY_PYTHON, METADATA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_cloudrepo.package import PackageFactory
    from tests.support.clients.client import Client, Installed

PYPROJECT: Final = """\
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "demo"
version = "1.0"
description = "A test's"
"""


@dataclass(frozen=True, slots=True)
class Tree:
    """A project that is ready to be uploaded: demo 1.0, its source and what is built of it."""

    folder: Path

    @property
    def files(self) -> dict[str, bytes]:
        """What is built of it."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / "dist").iterdir())}

    @classmethod
    def write(cls, folder: Path, package: PackageFactory | None, *, module: str) -> Tree:
        """Write it.

        Args:
            folder: where.
            package: what its wheel and sdist are written with; without it they are not there.
            module: what its one module holds.
        """
        dist = folder / "dist"
        dist.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(PYPROJECT, "utf-8")
        (folder / "demo.py").write_text(module, "utf-8")
        if package is not None:
            files = {"demo.py": module}
            told = METADATA_VERSION
            wheel = package("demo", "1.0", files=files, tags=EVERY_PYTHON, metadata_version=told)
            sdist = package("demo", "1.0", files=files, sdist=True, metadata_version=told)
            shutil.move(wheel, dist)
            shutil.move(sdist, dist)
        return cls(folder)


@dataclass(frozen=True, slots=True)
class Uploader:
    """A program that uploads."""

    client: Client
    tool: str
    """What the plugin calls it."""
    words: tuple[str, ...]
    """What it is asked."""
    takes_files: bool = True
    """Whether the files are named to it; else it finds them in the folder that it runs in."""
    builds: bool = False
    """Whether it builds what it uploads."""
    refused: int = 1
    """Its exit status when it is refused."""
    environ: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What else it is told."""
    skip: str | None = None
    """The flag by which it is asked to pass over what is there already."""
    user: tuple[str, str] | None = None
    """The flags for the user and the passphrase."""

    def __str__(self) -> str:
        return str(self.client)

    def command(self, installed: Installed, tree: Tree) -> list[str | Path]:
        """The command that uploads the tree; it runs in the tree's folder."""
        files = [Path("dist", name) for name in tree.files] if self.takes_files else []
        return [installed.program(self.tool), *self.words, *files]


def _twine(client: Client) -> Uploader:
    return Uploader(
        client, "twine", ("upload",), skip="--skip-existing", user=("--username", "--password")
    )


TWINES: Final = tuple(map(_twine, catalogue.TWINES))
TWINE_6_1: Final = TWINES[-2]
TWINE: Final = TWINES[-1]
UV: Final = Uploader(
    catalogue.UV,
    "uv",
    ("publish", "--trusted-publishing", "never"),
    refused=2,
    skip="--check-url",
    user=("--username", "--password"),
)
POETRY: Final = Uploader(
    catalogue.POETRY,
    "poetry",
    ("publish", "--no-interaction", "--repository", "cloudrepo"),
    takes_files=False,
    skip="--skip-existing",
    user=("--username", "--password"),
)
PDM: Final = Uploader(
    catalogue.PDM,
    "pdm",
    ("publish", "--no-build"),
    takes_files=False,
    # It makes an environment for the project otherwise.
    environ={"PDM_USE_VENV": "0"},
    skip="--skip-existing",
    user=("--username", "--password"),
)
HATCH: Final = Uploader(
    catalogue.HATCH, "hatch", ("publish", "--no-prompt"), user=("--user", "--auth")
)
FLIT: Final = Uploader(catalogue.FLIT, "flit", ("publish",), takes_files=False, builds=True)

UPLOADERS: Final = (*TWINES, UV, POETRY, PDM, HATCH, FLIT)
