"""The pages and files served per second, compared with nginx serving the same content."""

from functools import partial
from pathlib import Path

from benchmarks.repositories import (
    LARGE_MIB,
    Repository,
    StaticCopy,
    new_repository,
    small_payload,
    static_copy,
)
from benchmarks.table import NGINX, OURS, Row, interleaved

_PROJECTS = 10_000
_RELEASES = 10
_OURS_WITH_MANY_FILES = "cloudrepo-server with 100,000 files"


def reads(folder: Path, rounds: int) -> list[Row]:
    """Measure pages and files per second, in a small repository and in one of 100,000 files."""
    rounds = max(3, rounds // 3)
    with (
        new_repository(folder / "small") as small,
        new_repository(folder / "large") as large,
        static_copy(folder / "nginx") as copy,
    ):
        for repository in (small, large):
            repository.publish("one", 1)
            repository.publish("many", 1000)
        small.publish("small", 1, small_payload())
        small.publish_large("large", folder)
        memory_before = large.server.memory
        large.publish_many(_PROJECTS, _RELEASES)
        memory = large.server.memory
        rows = _pages(small, large, copy, rounds)
        rows += _files(small, copy, rounds)
        root = {
            OURS: partial(_responses, large, "/"),
            NGINX: partial(_responses, copy, "/"),
        }
        copy.add(large, "/")
        rows.append(
            Row(
                "root page of 10,000 projects",
                "/s",
                interleaved(root, rounds),
                f"0.5 x {NGINX}",
                NGINX,
            )
        )
    rows.append(Row("memory with 100,000 files", "MiB", {OURS: memory}, "120 MiB"))
    rows.append(Row("memory with 1,001 files", "MiB", {OURS: memory_before}))
    return rows


def _pages(small: Repository, large: Repository, copy: StaticCopy, rounds: int) -> list[Row]:
    rows = []
    for title, path, times in (("1 file", "/one/", 0.25), ("1,000 files", "/many/", 0.5)):
        copy.add(small, path)
        rates = interleaved(
            {
                OURS: partial(_responses, small, path),
                _OURS_WITH_MANY_FILES: partial(_responses, large, path),
                NGINX: partial(_responses, copy, path),
            },
            rounds,
        )
        with_many_files = {OURS: rates.pop(_OURS_WITH_MANY_FILES), NGINX: rates[NGINX]}
        goal = f"{times} x {NGINX}"
        rows.append(Row(f"page of {title}", "/s", rates, goal, NGINX))
        rows.append(
            Row(
                f"page of {title}, in a repository of 100,000 files",
                "/s",
                with_many_files,
                goal,
                NGINX,
            )
        )
    return rows


def _files(repository: Repository, copy: StaticCopy, rounds: int) -> list[Row]:
    small_file, large_file = repository.file_path("small"), repository.file_path("large")
    for path in (small_file, large_file):
        copy.add(repository, path)
    responses = {
        OURS: partial(_responses, repository, small_file),
        NGINX: partial(_responses, copy, small_file),
    }
    speed = {
        OURS: partial(_mib, repository, large_file),
        NGINX: partial(_mib, copy, large_file),
    }
    return [
        Row("10 kB file", "/s", interleaved(responses, rounds), f"0.2 x {NGINX}", NGINX),
        Row(f"{LARGE_MIB} MB file", "MiB/s", interleaved(speed, rounds), f"0.7 x {NGINX}", NGINX),
    ]


def _responses(repository: Repository | StaticCopy, path: str) -> float:
    return repository.load(path).responses


def _mib(repository: Repository | StaticCopy, path: str) -> float:
    return repository.load(path, connections=1).mib
