"""The plot of a repository's or project's activity: bars for uploads and downloads over time."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from time import time

import msgspec

from cloudrepo_server.domain.activity import MAX_INTERVALS, WIDTHS, Activity, Counts

# The height of the plot in its own units.
_HEIGHT = 96
SLOT = 12
"""The width of the place for one bar."""

_MIN_SLOTS = 12
_UNITS = (
    (31_449_600, "year"),
    (604_800, "week"),
    (86_400, "day"),
    (3600, "hour"),
    (60, "minute"),
    (1, "second"),
)


class Bar(msgspec.Struct, frozen=True):
    """An interval with uploads or downloads; sizes are in the units of the plot."""

    start: datetime
    uploads: int
    downloads: int
    x: int
    upload_height: float
    download_height: float


class Plot(msgspec.Struct, frozen=True):
    """What the template of a plot needs."""

    uploads: int
    downloads: int
    bars: Sequence[Bar]
    start: datetime
    end: datetime
    interval: str
    """The length of an interval, such as "5 minutes"."""
    last: float
    """The time of the last interval with uploads or downloads."""
    largest: int
    """The largest number of uploads or downloads in one interval."""
    width: int
    """The width of the plot in its own units."""

    @property
    def height(self) -> int:
        """The height of the plot in its own units."""
        return _HEIGHT

    def label(self, moment: datetime) -> str:
        """Return a time on the axis, with a precision that suits the length of the plot."""
        length = self.end - self.start
        # Not all systems have a format for a day without a leading zero.
        if length >= timedelta(days=90):
            return f"{moment.day} {moment:%B %Y}"
        if length >= timedelta(hours=1):
            return f"{moment.day} {moment:%B, %H:%M}"
        return f"{moment.day} {moment:%B, %H:%M:%S}"


def create_plot(counts: Counts) -> Plot | None:
    """Return the plot of uploads and downloads, or None if there are none.

    The plot begins with the first upload or download, and usually ends now. It ends with the last
    one if the time since then is longer than the time from the first to the last: otherwise most
    of the plot would be empty.
    """
    starts = list(counts.starts())
    if not starts:
        return None
    first, last = starts[0][0], starts[-1][0] + counts.width
    now = time()
    end = int(now) if last <= now <= last + (last - first) else last
    width = next(
        (each for each in WIDTHS if each >= counts.width and (end - first) // each < MAX_INTERVALS),
        WIDTHS[-1],
    )
    first_slot, slots = first // width, end // width - first // width + 1
    intervals = _regrouped(starts, width)
    largest = max(max(interval) for interval in intervals.values())
    bars = [
        Bar(
            datetime.fromtimestamp(at * width, UTC),
            uploads,
            downloads,
            (at - first_slot) * SLOT,
            _height(uploads, largest),
            _height(downloads, largest),
        )
        for at, (uploads, downloads) in sorted(intervals.items())
    ]
    slots = max(slots, _MIN_SLOTS)
    return Plot(
        uploads=counts.uploads,
        downloads=counts.downloads,
        bars=bars,
        start=datetime.fromtimestamp(first_slot * width, UTC),
        end=datetime.fromtimestamp((first_slot + slots) * width, UTC),
        interval=_duration(width),
        last=starts[-1][0],
        largest=largest,
        width=slots * SLOT,
    )


def _regrouped(
    starts: Iterable[tuple[int, tuple[int, int]]], width: int
) -> dict[int, tuple[int, int]]:
    regrouped: dict[int, tuple[int, int]] = {}
    for start, (uploads, downloads) in starts:
        known = regrouped.get(start // width, (0, 0))
        regrouped[start // width] = (known[0] + uploads, known[1] + downloads)
    return regrouped


def _height(number: int, largest: int) -> float:
    # Even a single upload among thousands of downloads must be visible.
    return round(max(number / largest * _HEIGHT, 2.0), 1) if number else 0.0


def _duration(seconds: int) -> str:
    length, unit = next((each for each in _UNITS if seconds % each[0] == 0), _UNITS[-1])
    number = seconds // length
    return unit if number == 1 else f"{number} {unit}s"


class ShownActivity(msgspec.Struct, frozen=True):
    """What a page shows of the activity of a repository or project."""

    plot: Plot | None
    is_counted: bool
    is_kept: bool
    """Whether the counts outlive the server."""


async def read_activity(
    activity: Activity, repository_id: str, *, project: str = ""
) -> ShownActivity:
    """Return the activity of a project, or of its repository if no project is given."""
    counts = await activity.of(repository_id, project=project)
    return ShownActivity(create_plot(counts), activity.is_counted, activity.is_kept)
