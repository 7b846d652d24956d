"""Pages and files, a second; the yardstick is nginx with the same bytes as static files."""

from functools import partial
from pathlib import Path

from benchmarks.repositories import LARGE_MIB, Filled, Static, filled, small_payload, static
from benchmarks.table import NGINX, OURS, Row, interleaved

_CROWD = 10_000
_RELEASES = 10
_CROWDED = "itself, among 100,000 files"


def reads(folder: Path, rounds: int) -> list[Row]:
    """Read pages and files from a repository with few files, then among 100,000 files."""
    rounds = max(3, rounds // 3)
    with (
        filled(folder / "few") as few,
        filled(folder / "crowded") as crowded,
        static(folder / "nginx") as copies,
    ):
        for repository in (few, crowded):
            repository.publish("one", 1)
            repository.publish("many", 1000)
        few.publish("small", 1, small_payload())
        few.publish_large("large", folder)
        before = crowded.server.memory
        crowded.crowd(_CROWD, _RELEASES)
        memory = crowded.server.memory
        rows = _pages(few, crowded, copies, rounds)
        rows += _files(few, copies, rounds)
        root = {
            OURS: partial(_answers, crowded, "/"),
            NGINX: partial(_answers, copies, "/"),
        }
        copies.copy(crowded, "/")
        rows.append(
            Row("root of 10,000 projects", "/s", interleaved(root, rounds), f"0.5 x {NGINX}", NGINX)
        )
    rows.append(Row("memory with 100,000 files", "MiB", {OURS: memory}, "150 MiB"))
    rows.append(Row("memory with 1,001 files", "MiB", {OURS: before}))
    return rows


def _pages(few: Filled, crowded: Filled, copies: Static, rounds: int) -> list[Row]:
    rows = []
    for title, path in (("1 file", "/one/"), ("1,000 files", "/many/")):
        copies.copy(few, path)
        taken = interleaved(
            {
                OURS: partial(_answers, few, path),
                _CROWDED: partial(_answers, crowded, path),
                NGINX: partial(_answers, copies, path),
            },
            rounds,
        )
        among = {OURS: taken.pop(_CROWDED), NGINX: taken[NGINX]}
        reach = f"0.5 x {NGINX}"
        rows.append(Row(f"page of {title}", "/s", taken, reach, NGINX))
        rows.append(Row(f"page of {title}, among 100,000 files", "/s", among, reach, NGINX))
    return rows


def _files(few: Filled, copies: Static, rounds: int) -> list[Row]:
    small, large = few.file_path("small"), few.file_path("large")
    for path in (small, large):
        copies.copy(few, path)
    answers = {
        OURS: partial(_answers, few, small),
        NGINX: partial(_answers, copies, small),
    }
    speed = {
        OURS: partial(_mib, few, large),
        NGINX: partial(_mib, copies, large),
    }
    return [
        Row("10 kB file", "/s", interleaved(answers, rounds), f"0.35 x {NGINX}", NGINX),
        Row(f"{LARGE_MIB} MB file", "MiB/s", interleaved(speed, rounds), f"0.7 x {NGINX}", NGINX),
    ]


def _answers(repository: Filled | Static, path: str) -> float:
    return repository.load(path).answers


def _mib(repository: Filled | Static, path: str) -> float:
    return repository.load(path, connections=1).mib
