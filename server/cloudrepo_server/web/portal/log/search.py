"""Searches the journals for the requests that a page of the log shows.

A page takes the same time however many requests the journals have: its search ends when the page is
full, or after a fixed number of requests. The next page continues it.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter

import msgspec

from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.portal.log.filters import Predicate

ENTRIES_PER_PAGE = 50
_ENTRIES_SEARCHED = 5_000

_settled = attrgetter("settled")


class FoundRequests(msgspec.Struct, frozen=True):
    """The requests that a page of the log shows, newest first."""

    entries: Sequence[Entry]
    next: int | None = None
    """The number before which the search of the next page begins, or None if this is the last."""
    searched: int = 0
    """The number of requests that were compared with the conditions."""


def search_page(
    queues: Iterable[Sequence[Entry]],
    predicates: Sequence[Predicate],
    *,
    before: int | None = None,
    limit: int = _ENTRIES_SEARCHED,
) -> FoundRequests:
    """Return the newest completed requests that fulfil all conditions, at most a page of them.

    Args:
        queues: the requests of each queue, in the order in which they settled.
        predicates: the conditions.
        before: list only requests that settled before the one with this number.
        limit: the number of requests to search.
    """
    found: list[Entry] = []
    last = searched = 0
    newest_first = _newest_first(queues, before)
    for entry in islice(newest_first, limit):
        searched += 1
        last = entry.settled
        if entry.status is None or not all(matches(entry) for matches in predicates):
            continue
        if len(found) == ENTRIES_PER_PAGE:
            return FoundRequests(found, found[-1].settled, searched)
        found.append(entry)
    is_end = next(newest_first, None) is None
    return FoundRequests(found, None if is_end else last, searched)


def neighbours(
    queues: Iterable[Sequence[Entry]], predicates: Sequence[Predicate], entry: Entry
) -> tuple[Entry | None, Entry | None]:
    """Return the nearest requests before and after a request that fulfil all conditions.

    Each is None if there is none. Only a limited number of requests on each side are searched.
    """
    queues = list(queues)
    later = [queue[bisect_right(queue, entry.settled, key=_settled) :] for queue in queues]
    sides = (_newest_first(queues, entry.settled), heapq.merge(*later, key=_settled))
    before, after = (
        next(
            (
                each
                for each in islice(side, _ENTRIES_SEARCHED)
                if each.status is not None and all(matches(each) for matches in predicates)
            ),
            None,
        )
        for side in sides
    )
    return before, after


def matching_requests(
    queues: Iterable[Sequence[Entry]], predicates: Sequence[Predicate]
) -> list[Entry]:
    """Return all completed requests that fulfil all conditions, newest first."""
    found = [entry for queue in queues for entry in queue if entry.status is not None]
    for predicate in predicates:
        found = [*filter(predicate, found)]
    found.sort(key=_settled, reverse=True)
    return found


def _newest_first(queues: Iterable[Sequence[Entry]], before: int | None) -> Iterator[Entry]:
    parts = [
        queue if before is None else queue[: bisect_left(queue, before, key=_settled)]
        for queue in queues
    ]
    filled = [reversed(part) for part in parts if part]
    # Merging takes longer than iterating, and a repository usually has one queue with requests.
    if len(filled) == 1:
        return filled[0]
    return heapq.merge(*filled, key=_settled, reverse=True)
