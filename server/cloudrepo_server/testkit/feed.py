"""The feed: the newest completed requests of all journals, for pages that show them live."""

from collections import deque

from cloudrepo_server.limits import FEED_ENTRIES
from cloudrepo_server.testkit.journal import Entry


class Feed:
    """The newest completed requests of all journals, in the order in which they completed."""

    def __init__(self) -> None:
        self.last = 0
        """The number of the newest request; the first has number 1."""
        self._recent: deque[Entry] = deque(maxlen=FEED_ENTRIES)

    def publish(self, entry: Entry) -> None:
        """Add a completed request, unless it was added before."""
        if not entry.published:
            self.last += 1
            entry.published = self.last
            self._recent.append(entry)

    def after(self, number: int) -> tuple[list[Entry], int]:
        """Return the requests after a number, oldest first, and how many more were dropped.

        If the number comes from another server process, all requests count as dropped.
        """
        if number > self.last:
            return [], self.last
        expected = self.last - number
        newest = [entry for entry in self._recent if entry.published > number]
        return newest, expected - len(newest)
