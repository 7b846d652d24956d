"""The filters of the request log, which the query strings of its pages contain."""

from collections.abc import Callable, Collection, Mapping
from time import time
from typing import ClassVar

from cloudrepo_server.specs.user_agent import parse_user_agent
from cloudrepo_server.testkit.faults import FiredFault
from cloudrepo_server.testkit.journal import Entry, EntryKind
from cloudrepo_server.web.portal.query_filter import QueryFilter

ANONYMOUS = "anonymous"
"""The name of a user who has no valid credentials."""

KINDS: Mapping[str, tuple[str, frozenset[EntryKind]]] = {
    "index": (
        "All but admin",
        frozenset(
            {
                *("root", "page", "json", "provenance", "metadata", "file", "upload"),
                *("trusted-publishing", "blocked"),
            }
        ),
    ),
    "page": ("Page", frozenset({"root", "page", "json", "provenance"})),
    "metadata": ("Metadata", frozenset({"metadata"})),
    "file": ("File", frozenset({"file"})),
    "upload": ("Upload", frozenset({"upload"})),
    "token": ("Token exchange", frozenset({"trusted-publishing"})),
    "blocked": ("Blocked host", frozenset({"blocked"})),
    "admin": ("Admin", frozenset({"admin"})),
}
"""The label of each kind in the query string, and the kinds in the journal that it includes."""

STATUSES: Mapping[str, tuple[str, range]] = {
    "2xx": ("2xx success", range(200, 300)),
    "3xx": ("3xx redirect or not modified", range(300, 400)),
    "4xx": ("4xx rejected or not found", range(400, 500)),
    "5xx": ("5xx failed", range(500, 600)),
    "reset": ("Connection reset", range(1)),
}
"""The label and the status codes of each class of statuses in the query string."""

AGES: Mapping[str, tuple[str, float]] = {
    "1m": ("Last minute", 60.0),
    "5m": ("Last 5 minutes", 300.0),
    "1h": ("Last hour", 3600.0),
    "1d": ("Last day", 86_400.0),
}
"""The label and the seconds of each maximum age in the query string."""

SHOWN = "shown"
"""The value of a filter that also lists what is hidden by default."""

_SESSION_PATHS = ("/api/sign-in-links", "/portal/sign-in", "/portal/sign-out")
_FIRST_ERROR_STATUS = 400

Predicate = Callable[[Entry], bool]


class LogFilter(QueryFilter, frozen=True, kw_only=True):
    """The conditions that a request must meet to be listed. Empty conditions have no effect."""

    user: str = ""
    project: str = ""
    client: str = ""
    kind: str = ""
    status: str = ""
    age: str = ""
    q: str = ""
    harness: str = ""
    """Whether sign-ins, sign-in links and the results of tests are listed too."""

    choices: ClassVar[Mapping[str, Collection[str]]] = {
        "kind": KINDS,
        "status": STATUSES,
        "age": AGES,
        "harness": (SHOWN,),
    }

    def predicates(self) -> list[Predicate]:
        """Return functions that all return True for the requests to list, the fastest first."""
        found: list[Predicate] = []
        if not self.harness:
            found.append(lambda entry: entry.kind != "admin" or not _is_of_harness(entry))
        if self.kind:
            kinds = KINDS[self.kind][1]
            found.append(lambda entry: entry.kind in kinds)
        if self.status:
            statuses = STATUSES[self.status][1]
            found.append(lambda entry: entry.status in statuses)
        if self.age:
            oldest = time() - AGES[self.age][1]
            found.append(lambda entry: entry.arrived >= oldest)
        if self.project:
            in_project = _contains(self.project)
            found.append(lambda entry: in_project(entry.project or ""))
        if self.user:
            in_user = _contains(self.user)
            found.append(lambda entry: in_user(entry.user or ANONYMOUS))
        if self.client:
            in_client = _contains(self.client)
            found.append(lambda entry: in_client(str(parse_user_agent(entry.user_agent))))
        if self.q:
            found.append(_searches(self.q))
        return found


def fault_name(entry: Entry, fault: FiredFault) -> str:
    """Return the name of a fault that changed the response to a request."""
    status = f" {entry.status}" if fault.kind == "status" else ""
    return f"fault #{fault.number}: {fault.kind}{status}"


def _is_of_harness(entry: Entry) -> bool:
    """Return whether a change is a sign-in, a sign-out, a sign-in link or the result of a test.

    These precede and follow each look at a failed test. Rejected ones are not hidden.
    """
    is_result = (
        entry.method == "PUT"
        and entry.path.startswith("/api/repositories/")
        and entry.path.endswith("/test")
    )
    is_rejected = (entry.status or 0) >= _FIRST_ERROR_STATUS
    return (is_result or entry.path in _SESSION_PATHS) and not is_rejected


def _contains(part: str) -> Callable[[str], bool]:
    """Return a function that says whether a text contains a part, ignoring case."""
    folded = part.casefold()
    # Many requests have the same texts.
    known: dict[str, bool] = {}

    def contains(text: str) -> bool:
        result = known.get(text)
        if result is None:
            result = known[text] = folded in text.casefold()
        return result

    return contains


def _searches(text: str) -> Predicate:
    contains = _contains(text)

    def matches(entry: Entry) -> bool:
        return (
            contains(entry.path)
            or contains(entry.reason)
            or (entry.error is not None and contains(entry.error))
            or contains(entry.user_agent)
            or contains(entry.user or ANONYMOUS)
            or contains(entry.filename or "")
            or contains(entry.method)
            or (entry.query != "" and contains(entry.query))
            or any(contains(fault_name(entry, fault)) for fault in entry.faults)
            or any(map(contains, entry.upstreams))
        )

    return matches
