"""The time to load a snapshot of a thousand projects, and to record it again."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.servers import ADMIN_PASSWORD, ADMIN_USERNAME, INSTALLED, running
from benchmarks.table import OURS, Row, interleaved
from cloudrepo_server.cli.snapshots import document
from cloudrepo_server.cli.snapshots.closure import Closure, Distribution, Options
from cloudrepo_server.cli.snapshots.metadata import Metadata
from pytest_cloudrepo.client import Server

_PROJECTS = 1000
_RELEASES = 3
_REQUIREMENTS = 10
_SIZE = f"{_PROJECTS:,} projects and {_PROJECTS * _RELEASES:,} releases"


def snapshot(folder: Path, rounds: int) -> list[Row]:
    """Measure the time to load and to record a snapshot with a thousand projects."""
    rounds = max(3, rounds // 3)
    path = folder / "graph.toml"
    path.write_text(_text(), encoding="utf-8")
    with running(OURS, folder / "server") as server:
        admin = Server(server.url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder)

        def load() -> float:
            repository = admin.create_repository()
            start = time.perf_counter()
            repository.load_snapshot(path)
            return time.perf_counter() - start

        loading = interleaved({OURS: load}, rounds)
        index = admin.create_repository(anonymous="read")
        index.load_snapshot(path)

        def record() -> float:
            command = (sys.executable, "-m", "cloudrepo_server", "snapshot", "project-0")
            source = ("--from", f"{index.url}/simple/")
            options = ("--python", "3.12", "--platform", "linux-x86_64")
            output = ("--output", folder / "recorded.toml")
            start = time.perf_counter()
            subprocess.run(
                [*command, *source, *options, *output],
                check=True,
                capture_output=True,
                env=INSTALLED,
            )
            return time.perf_counter() - start

        recording = interleaved({OURS: record}, rounds)
        admin.close()
    return [
        Row(f"load a snapshot of {_SIZE}", "s", loading, "5 s"),
        Row(f"record a snapshot of {_SIZE}", "s", recording),
    ]


def _text() -> str:
    """Return the content of a snapshot's file, as the command `snapshot` writes it."""
    options = Options(
        requirements=(Requirement("project-0"),),
        environments=(),
        versions=_RELEASES,
        exclude_newer="2026-01-31T12:00:00Z",
        requires_upload_times=False,
        prereleases=False,
    )
    closure = Closure(dict(_projects()), [])
    return document.render(
        closure, options, index="benchmark", pythons=["3.12"], platforms=["linux-x86_64"]
    )


def _projects() -> Iterator[tuple[str, dict[str, list[Distribution]]]]:
    for project in range(_PROJECTS):
        releases = range(_RELEASES, 0, -1)
        yield (
            f"project-{project}",
            {f"{release}.0": [_distribution(project, release)] for release in releases},
        )


def _distribution(project: int, release: int) -> Distribution:
    # Releases of a project repeat most of each other's requirements, as those of real projects do.
    # Half of the requirements have a marker.
    requires = (
        f"project-{(project * 7 + number + 1) % _PROJECTS}"
        f">={release if number == 0 else 1}.0,<9"
        + (f'; python_version >= "3.{number}"' if number % 2 else "")
        for number in range(_REQUIREMENTS)
    )
    return Distribution(
        filename=f"project_{project}-{release}.0-py3-none-any.whl",
        metadata=Metadata(requires=tuple(requires), requires_python=">=3.8"),
        upload_time=f"2026-01-0{release}T00:00:00Z",
        yanked=None,
    )
