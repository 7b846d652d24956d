"""All journals of a server process, and the limit on their total size."""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from cloudrepo_server.limits import JOURNALS_BYTES
from cloudrepo_server.testkit.feed import Feed
from cloudrepo_server.testkit.journal import Entry, EntryQueue, Journal

CHANGES_JOURNAL = ""
"""The id of the journal of changes, which are made by the admin API or in the portal."""

# The total size is checked whenever this many bytes were added.
_BYTES_PER_CHECK = JOURNALS_BYTES // 64


class Journals:
    """The journal of each repository, and the journal of changes.

    If all journals together become too large, the largest ones lose their oldest requests. Busy
    repositories therefore do not displace the requests of other repositories.
    """

    def __init__(self) -> None:
        self.feed = Feed()
        self._by_id: dict[str, Journal] = {}
        self._settled = 0
        self._unchecked_bytes = 0

    def get(self, journal_id: str) -> Journal:
        """Return the journal of a repository or of changes; an unknown one is created."""
        journal = self._by_id.get(journal_id)
        if journal is None:
            journal = self._by_id[journal_id] = Journal()
        return journal

    def find(self, journal_id: str) -> Journal | None:
        """Return the journal of a repository or of changes, or None if nothing was recorded."""
        return self._by_id.get(journal_id)

    def settle(self, journal_id: str, entry: Entry, *, anonymous: bool) -> None:
        """Move a recorded request to its queue in the journal, once its user and form are known."""
        journal = self._by_id.get(journal_id)
        size = None if journal is None else journal.settle(entry, anonymous=anonymous)
        if size is None:
            return
        self._settled += 1
        entry.settled = self._settled
        self._unchecked_bytes += size
        if self._unchecked_bytes >= _BYTES_PER_CHECK:
            self._unchecked_bytes = 0
            journals = self._by_id.values()
            # Requests without valid credentials must not displace the requests of users.
            _limit_size(journal.users for journal in journals)
            _limit_size(journal.anonymous for journal in journals)
        self.complete(entry)

    def complete(self, entry: Entry) -> None:
        """Publish a request in the feed, if it has a response and has left its handler."""
        if entry.settled and entry.status is not None:
            self.feed.publish(entry)

    def delete(self, journal_id: str) -> None:
        """Delete the journal of a deleted repository."""
        self._by_id.pop(journal_id, None)


def _limit_size(queues: Iterable[EntryQueue]) -> None:
    largest_first = [(-queue.bytes, number, queue) for number, queue in enumerate(queues)]
    excess = sum(queue.bytes for _, _, queue in largest_first) - JOURNALS_BYTES
    heapify(largest_first)
    while excess > 0:
        _, number, queue = heappop(largest_first)
        before = queue.bytes
        # Drop several requests at once, so that the next check finds nothing to do.
        for _ in range(max(1, len(queue) // 16)):
            queue.drop_oldest()
        excess -= before - queue.bytes
        heappush(largest_first, (-queue.bytes, number, queue))
