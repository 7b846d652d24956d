"""The clients that upload, and the command line of each."""

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
    from tests.support.clients.client import Client, InstalledClient

PYPROJECT: Final = """\
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "demo"
version = "1.0"
description = "A package of a test"
"""


@dataclass(frozen=True, slots=True)
class ProjectTree:
    """A project that is ready to upload: demo 1.0, with its source and its distributions."""

    folder: Path

    @property
    def files(self) -> dict[str, bytes]:
        """Return the distributions and their content, by file name."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / "dist").iterdir())}

    @classmethod
    def write(cls, folder: Path, package: PackageFactory | None, *, module: str) -> ProjectTree:
        """Write the project into a folder.

        Args:
            folder: Where to write it.
            package: The factory for the wheel and the sdist. Without it, none are written.
            module: The source of the only module.
        """
        dist = folder / "dist"
        dist.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(PYPROJECT, "utf-8")
        (folder / "demo.py").write_text(module, "utf-8")
        if package is not None:
            files = {"demo.py": module}
            wheel = package(
                "demo", "1.0", files=files, tags=EVERY_PYTHON, metadata_version=METADATA_VERSION
            )
            sdist = package(
                "demo", "1.0", files=files, sdist=True, metadata_version=METADATA_VERSION
            )
            shutil.move(wheel, dist)
            shutil.move(sdist, dist)
        return cls(folder)


@dataclass(frozen=True, slots=True)
class Uploader:
    """A client that uploads, with its command line."""

    client: Client
    tool: str
    """The plugin's name of the client, which is also the name of its program."""
    arguments: tuple[str, ...]
    file_arguments: bool = True
    """Whether the files are arguments. Otherwise the client finds them in its working folder."""
    builds: bool = False
    """Whether the client builds the files itself."""
    rejected_status: int = 1
    """The exit status of the client if the server rejects an upload."""
    environ: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Additional environment variables."""
    skip_option: str | None = None
    """The option that makes the client skip files that exist already."""

    def __str__(self) -> str:
        return str(self.client)

    def command(self, installed: InstalledClient, tree: ProjectTree) -> list[str | Path]:
        """Return the command that uploads the files, to be run in the project's folder."""
        files = [Path("dist", name) for name in tree.files] if self.file_arguments else []
        return [installed.program(self.tool), *self.arguments, *files]

    def title(self, installed: InstalledClient) -> InstalledClient:
        """Return the client as the table shows it."""
        return installed


def _twine(client: Client) -> Uploader:
    return Uploader(client, "twine", ("upload",), skip_option="--skip-existing")


TWINES: Final = tuple(map(_twine, catalogue.TWINES))
TWINE_6_1: Final = TWINES[-2]
TWINE: Final = TWINES[-1]
UV: Final = Uploader(
    catalogue.UV,
    "uv",
    ("publish", "--trusted-publishing", "never"),
    rejected_status=2,
    skip_option="--check-url",
)
POETRY: Final = Uploader(
    catalogue.POETRY,
    "poetry",
    ("publish", "--no-interaction", "--repository", "cloudrepo"),
    file_arguments=False,
    skip_option="--skip-existing",
)
PDM: Final = Uploader(
    catalogue.PDM,
    "pdm",
    ("publish", "--no-build"),
    file_arguments=False,
    # Otherwise pdm creates a virtual environment for the project.
    environ={"PDM_USE_VENV": "0"},
    skip_option="--skip-existing",
)
HATCH: Final = Uploader(catalogue.HATCH, "hatch", ("publish", "--no-prompt"))
FLIT: Final = Uploader(catalogue.FLIT, "flit", ("publish",), file_arguments=False, builds=True)

UPLOADERS: Final = (*TWINES, UV, POETRY, PDM, HATCH, FLIT)
