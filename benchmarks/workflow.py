"""The complete workflow of a test: build, upload, create an environment, install, import."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

from benchmarks.servers import ADMIN_PASSWORD, ADMIN_USERNAME, INSTALLED, running
from benchmarks.table import BY_HAND, OURS, Row, interleaved
from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo.client import Server
from pytest_cloudrepo.project import Project
from pytest_cloudrepo.repository import Repository
from pytest_cloudrepo.venv import VirtualEnv

MILLI = 1000
_TIMEOUT = 300.0
_PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "demo"
version = "1.0"
"""


class Workflow:
    """The workflow in three versions: by hand, with fixtures and pip, with fixtures and uv."""

    def __init__(self, folder: Path, server: Server) -> None:
        self._folder = folder
        self._server = server
        self._numbers = count()
        self._environment = Environment(folder / "environment")

    def by_hand(self, folder: Path, repository: Repository) -> None:
        """Run an isolated build with setuptools, then twine, venv and the environment's own pip."""
        (folder / "demo.py").write_text("x = 1\n")
        (folder / "pyproject.toml").write_text(_PYPROJECT)
        _run(folder, sys.executable, "-m", "build")
        twine = [sys.executable, "-m", "twine", "upload", "--repository-url", repository.url]
        login = {"TWINE_USERNAME": repository.username, "TWINE_PASSWORD": repository.password}
        _run(folder, *twine, *folder.glob("dist/*"), environ=login)
        _run(folder, sys.executable, "-m", "venv", "env")
        python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
        _run(folder, python, "-m", "pip", "install", "--index-url", repository.index_url, "demo")
        _run(folder, python, "-c", "import demo")

    def with_pip(self, folder: Path, repository: Repository) -> None:
        """Do what the fixtures `cloudrepo`, `cloudrepo_project` and `cloudrepo_venv` do."""
        repository.upload(*self._project(folder).build())
        venv = self._venv(folder, pip=True)
        venv.install("demo", index=repository)
        venv.run("-c", "import demo")

    def with_uv(self, folder: Path, repository: Repository) -> None:
        """Do the same, but build, publish and install with uv."""
        path = self._project(folder).folder
        repository.run("uv", "build", "--wheel", "--out-dir", folder / "dist", path)
        repository.run("uv", "publish", *folder.glob("dist/*.whl"))
        venv = self._venv(folder, pip=False)
        venv.install("demo", index=repository, installer="uv")
        venv.run("-c", "import demo")

    def measure(self, steps: Callable[[Path, Repository], None]) -> float:
        """Return the milliseconds that the steps take on a new, empty repository."""
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        repository = self._server.create_repository()
        start = time.perf_counter()
        steps(folder, repository)
        milliseconds = (time.perf_counter() - start) * MILLI
        shutil.rmtree(folder)
        return milliseconds

    def _project(self, folder: Path) -> Project:
        return Project(
            folder / "project",
            "demo",
            "1.0",
            environ=self._environment.scrubbed(),
            timeout=_TIMEOUT,
        )

    def _venv(self, folder: Path, *, pip: bool) -> VirtualEnv:
        return VirtualEnv(
            folder / "venv",
            pip=pip,
            environment=self._environment,
            app_data=self._folder / "app-data",
            timeout=_TIMEOUT,
        )


def workflow(folder: Path, rounds: int) -> list[Row]:
    """Measure build, upload, new environment, install and import, together."""
    with running(OURS, folder / "server") as process:
        server = Server(process.url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder)
        flow = Workflow(folder, server)
        times = interleaved(
            {
                BY_HAND: lambda: flow.measure(flow.by_hand),
                "pip": lambda: flow.measure(flow.with_pip),
                "uv": lambda: flow.measure(flow.with_uv),
            },
            max(3, rounds // 3),
        )
        server.close()
    return [
        Row(
            f"build, upload and install, with {tool}",
            "ms",
            {OURS: times[tool], BY_HAND: times[BY_HAND]},
            f"{limit} x {BY_HAND}",
            BY_HAND,
        )
        for tool, limit in (("pip", "0.085"), ("uv", "0.025"))
    ]


def _run(folder: Path, *command: str | Path, environ: Mapping[str, str] | None = None) -> None:
    completed = subprocess.run(
        command,
        cwd=folder,
        env={**INSTALLED, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{completed.stdout}{completed.stderr}")
