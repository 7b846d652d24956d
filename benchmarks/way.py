"""The whole way of a test: build, upload, new environment, install, import."""

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


class Way:
    """The same way three times: as people first write it, and with the fixtures' own classes."""

    def __init__(self, folder: Path, server: Server) -> None:
        self._folder = folder
        self._server = server
        self._numbers = count()
        self._environment = Environment(folder / "environment")

    def by_hand(self, folder: Path, repository: Repository) -> None:
        """An isolated build with setuptools, twine, and the environment's own pip."""
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
        """As a test does with `cloudrepo`, `cloudrepo_project` and `cloudrepo_venv`."""
        repository.upload(*self._project(folder).build())
        venv = self._venv(folder, pip=True)
        venv.install("demo", index=repository)
        venv.run("-c", "import demo")

    def with_uv(self, folder: Path, repository: Repository) -> None:
        """The same with uv throughout."""
        path = self._project(folder).folder
        repository.run("uv", "build", "--wheel", "--out-dir", folder / "dist", path)
        repository.run("uv", "publish", *folder.glob("dist/*.whl"))
        venv = self._venv(folder, pip=False)
        venv.install("demo", index=repository, installer="uv")
        venv.run("-c", "import demo")

    def timed(self, go: Callable[[Path, Repository], None]) -> float:
        """The milliseconds that one way takes, from an empty repository on."""
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        repository = self._server.create_repository()
        began = time.perf_counter()
        go(folder, repository)
        taken = (time.perf_counter() - began) * MILLI
        shutil.rmtree(folder)
        return taken

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


def whole_way(folder: Path, rounds: int) -> list[Row]:
    """Go the whole way with pip, with uv, and by hand."""
    with running(OURS, folder / "server") as running_server:
        server = Server(running_server.url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder)
        way = Way(folder, server)
        taken = interleaved(
            {
                BY_HAND: lambda: way.timed(way.by_hand),
                "pip": lambda: way.timed(way.with_pip),
                "uv": lambda: way.timed(way.with_uv),
            },
            max(3, rounds // 3),
        )
        server.close()
    naive = taken[BY_HAND]
    return [
        Row(
            f"the whole way, with {tool}",
            "ms",
            {OURS: taken[tool], BY_HAND: naive},
            f"{most} x {BY_HAND}",
            BY_HAND,
        )
        for tool, most in (("pip", "0.2"), ("uv", "0.067"))
    ]


def _run(folder: Path, *command: str | Path, environ: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**INSTALLED, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
