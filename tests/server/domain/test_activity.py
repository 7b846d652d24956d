"""The counts of uploads and downloads, and the intervals in which they are kept."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from cloudrepo_server.domain import activity
from cloudrepo_server.domain.activity import MAX_INTERVALS, WIDTHS, Activity, Counts
from cloudrepo_server.storage.background import BackgroundTasks
from cloudrepo_server.storage.local import LocalStorage

BEGINNING = 1_700_000_000


def totals(counts: Counts) -> tuple[int, int]:
    intervals = [interval for _, interval in counts.starts()]
    return sum(each[0] for each in intervals), sum(each[1] for each in intervals)


@pytest.mark.parametrize(
    ("seconds", "width"),
    [(0, 1), (50, 1), (70, 5), (3600, 300), (86_400, 3600), (90 * 86_400, 604_800)],
)
def test_intervals_are_as_short_as_the_time_between_the_counts_allows(
    seconds: int, width: int
) -> None:
    counts = Counts()
    counts.count(BEGINNING, uploads=1)
    counts.count(BEGINNING + seconds, downloads=2)
    assert counts.width == width
    assert totals(counts) == (1, 2)


def test_a_timeline_has_a_bounded_size_and_loses_no_counts() -> None:
    counts = Counts()
    moment = BEGINNING
    for number in range(2000):
        counts.count(moment, downloads=1)
        moment += 1 + number * 97
    assert len(counts.intervals) <= MAX_INTERVALS
    assert counts.downloads == totals(counts)[1] == 2000
    assert all(later % earlier == 0 for earlier, later in itertools.pairwise(WIDTHS))


def test_merged_counts_have_the_sums_and_the_longer_intervals() -> None:
    first, second = Counts(), Counts()
    for number in range(30):
        first.count(BEGINNING + number, downloads=1)
        second.count(BEGINNING + number * 600, uploads=1)
    merged = first.merged(second)
    assert (merged.uploads, merged.downloads) == totals(merged) == (30, 30)
    assert merged.width >= second.width
    assert totals(Counts().merged(first)) == (0, 30)


def test_a_clock_that_jumps_costs_no_memory() -> None:
    counts = Counts()
    for moment in (0.0, 1e9, 4e12, -4e12, float(BEGINNING)):
        counts.count(moment, downloads=1)
    assert counts.downloads == 5
    assert len(counts.intervals) <= MAX_INTERVALS


def test_the_projects_that_are_counted_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "MAX_COUNTED_PROJECTS", 3)

    async def scenario() -> None:
        counted = Activity(LocalStorage.in_memory(), BackgroundTasks())
        for project in ("a", "b", "c", "a"):
            counted.count_download("abc", project)
        assert (await counted.of("abc", project="a")).downloads == 2
        assert (await counted.of("abc", project="c")).downloads == 0
        # The counts of the repository are complete.
        assert (await counted.of("abc")).downloads == 4

    asyncio.run(scenario())


@pytest.mark.parametrize("content", ["{", '{"counts":{"width":7}}', '{"counts":[]}'])
def test_a_damaged_document_of_counts_is_replaced(tmp_path: Path, content: str) -> None:
    async def scenario() -> None:
        for expected in (1, 0, 1, 2):
            storage = LocalStorage.in_folder(tmp_path / "data")
            counted = Activity(storage, BackgroundTasks())
            counted.keep()
            if expected:
                counted.count_download("abc", "demo")
            await counted.close()
            assert (await counted.of("abc", project="demo")).downloads == expected
            await storage.close()
            if expected == 1 and not damaged:
                (path,) = (tmp_path / "data").rglob("p-demo.json")
                path.write_text(content)
                damaged.append(path)

    damaged: list[Path] = []
    asyncio.run(scenario())
