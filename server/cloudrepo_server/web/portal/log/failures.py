"""The requests that may explain why a test failed."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from itertools import islice

from cloudrepo_server.testkit.fault_kinds import Drip, Latency, SlowHeaders
from cloudrepo_server.testkit.journal import Entry, Journal

_REQUESTS_SEARCHED = 2_000
_HARMLESS_FAULTS = {kind.__struct_config__.tag for kind in (Latency, Drip, SlowHeaders)}
_OPTIONAL_KINDS = ("metadata", "provenance")


def failed_requests(journal: Journal | None) -> Sequence[Entry]:
    """Return the requests that may explain why a program failed, newest first.

    These are rejected requests, and requests that a fault changed and not only delayed. Requests
    that were repeated with success are left out. So are those for missing core metadata or
    provenance, which are optional. The report of the pytest plugin lists the same requests. Only
    the newest requests of a long journal are searched.
    """
    if journal is None:
        return []
    failed: dict[tuple[str, str, str | None], Entry] = {}
    for entry in _newest(journal):
        key = (entry.method, entry.path, entry.filename)
        failed.pop(key, None)
        if _is_failure(entry):
            failed[key] = entry
    return [entry for entry in reversed(failed.values()) if not _is_optional(entry)]


def has_failures(journal: Journal | None) -> bool:
    """Return whether a journal may have requests that explain why a program failed.

    This is faster than `failed_requests`, but also counts requests that succeeded when repeated.
    """
    return journal is not None and any(
        _is_failure(entry) and not _is_optional(entry) for entry in _newest(journal)
    )


def queried_upstreams(journal: Journal | None) -> Iterable[str]:
    """Return the upstreams that were queried for the newest requests of a journal.

    An upstream is returned once for each request.
    """
    if journal is None:
        return []
    return [upstream for entry in _newest(journal) for upstream in set(entry.upstreams)]


def _newest(journal: Journal) -> Iterable[Entry]:
    """Return the newest completed requests, oldest first."""
    newest = [
        entry
        for queue in (journal.users, journal.anonymous)
        for entry in islice(reversed(queue), _REQUESTS_SEARCHED)
        if entry.status is not None
    ]
    newest.sort(key=lambda entry: entry.number)
    return newest


def _is_failure(entry: Entry) -> bool:
    status = entry.status or 0
    return (
        status == 0
        or status >= HTTPStatus.BAD_REQUEST
        or any(fault.kind not in _HARMLESS_FAULTS for fault in entry.faults)
    )


def _is_optional(entry: Entry) -> bool:
    is_missing = entry.status == HTTPStatus.NOT_FOUND and not entry.faults
    return is_missing and entry.kind in _OPTIONAL_KINDS
