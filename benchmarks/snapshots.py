"""The time that `Repository.load_snapshot` needs for a thousand projects."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.servers import ADMIN_PASSWORD, ADMIN_USERNAME, running
from benchmarks.table import OURS, Row, interleaved
from pytest_cloudrepo.client import Server

_PROJECTS = 1000
_RELEASES = 3
_REQUIREMENTS = 10
_HEADER = """\
[snapshot]
index = "benchmark"
requirements = ["project-0"]
exclude_newer = "2026-01-31T12:00:00Z"
pythons = ["3.12"]
platforms = ["linux-x86_64"]
versions = 3
"""


def snapshot(folder: Path, rounds: int) -> list[Row]:
    """Measure the time to load a snapshot with a thousand projects of three releases each."""
    path = folder / "graph.toml"
    path.write_text("\n".join([_HEADER, *_releases()]), encoding="utf-8")
    with running(OURS, folder / "server") as server:
        admin = Server(server.url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder)

        def load() -> float:
            repository = admin.create_repository()
            start = time.perf_counter()
            repository.load_snapshot(path)
            return time.perf_counter() - start

        times = interleaved({OURS: load}, rounds, warm_up=1)
        admin.close()
    figure = f"load a snapshot of {_PROJECTS:,} projects and {_PROJECTS * _RELEASES:,} releases"
    return [Row(figure, "s", times, "5 s")]


def _releases() -> Iterator[str]:
    # Releases of a project repeat most of each other's requirements, as those of real projects do.
    for project in range(_PROJECTS):
        for release in range(_RELEASES):
            requires = [
                f"project-{(project * 7 + number) % _PROJECTS}>={release if number == 0 else 1}.0,"
                f'<9; python_version >= "3.{number}"'
                for number in range(_REQUIREMENTS)
            ]
            filename = f"project_{project}-{release + 1}.0-py3-none-any.whl"
            yield (
                f'[packages.project-{project}."{release + 1}.0"]\n'
                f"requires = {json.dumps(requires)}\n"
                'requires_python = ">=3.8"\n'
                f'upload_time = "2026-01-0{release + 1}T00:00:00Z"\n'
                f'distributions = {{ "{filename}" = {{}} }}\n'
            )
