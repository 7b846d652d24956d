"""Activity: the newest requests of clients to the repositories."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import ACTIVITY, REPOSITORY
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_MAX_EVENTS = 1000
_MAX_ENTRIES_SCANNED = 20_000
_FIRST_ERROR_STATUS = 400


@dataclass(frozen=True, slots=True)
class ActivityEvent:
    """One completed request to a repository."""

    repository: str
    entry: Entry

    @property
    def kind(self) -> Literal["upload", "download", "page", "rejection"]:
        """The kind of request; "page" is a page of the simple API."""
        if (self.entry.status or 0) >= _FIRST_ERROR_STATUS:
            return "rejection"
        if self.entry.method == "POST":
            return "upload"
        return "page" if self.entry.filename is None else "download"


@dataclass(frozen=True, slots=True)
class _Filter:
    label: str
    matches: Callable[[ActivityEvent], bool]


_FILTERS = {
    "all": _Filter("All", lambda event: event.kind != "page"),
    "uploads": _Filter("Uploads", lambda event: event.kind == "upload"),
    "downloads": _Filter("Downloads", lambda event: event.kind == "download"),
    "rejections": _Filter("Rejections", lambda event: event.kind == "rejection"),
    "pages": _Filter("Page views", lambda event: event.kind == "page"),
}
"""The filters by their name in the query string. "all" leaves out page views, which are many."""


async def show_all(request: PortalRequest) -> web.Response:
    """Show the activity of all repositories."""
    return _render(request, "activity.html", await request.organization.repositories())


async def show_repository(request: PortalRequest) -> web.Response:
    """Show the activity of one repository."""
    repository = await request.repository()
    return _render(request, "repository_activity.html", [repository], repository)


def latest_uploads(
    organization: Organization, repositories: Iterable[Repository], count: int
) -> list[ActivityEvent]:
    """Return the newest uploads."""
    return _newest(organization, repositories, _FILTERS["uploads"], count)


def _render(
    request: PortalRequest,
    template: str,
    repositories: Iterable[Repository],
    repository: Repository | None = None,
) -> web.Response:
    chosen = request.query.get("kind", "all")
    if chosen not in _FILTERS:
        chosen = "all"
    events = _newest(request.organization, repositories, _FILTERS[chosen], _MAX_EVENTS)
    return request.render(
        template,
        chosen_filter=chosen,
        filters={name: each.label for name, each in _FILTERS.items()},
        pagination=paginate(events, request.query, keep=["kind"]),
        max_events=_MAX_EVENTS,
        shared=request.organization.shared,
        repository=repository,
        current_tab="activity",
    )


def _newest(
    organization: Organization,
    repositories: Iterable[Repository],
    chosen: _Filter,
    count: int,
) -> list[ActivityEvent]:
    newest_first = heapq.merge(
        *(_newest_first(organization, each) for each in repositories),
        key=lambda event: event.entry.arrived,
        reverse=True,
    )
    scanned = islice(newest_first, _MAX_ENTRIES_SCANNED)
    completed = (event for event in scanned if event.entry.status is not None)
    return list(islice(filter(chosen.matches, completed), count))


def _newest_first(organization: Organization, repository: Repository) -> Iterator[ActivityEvent]:
    for entry in reversed(organization.testkit.recorded(repository.document.id)):
        yield ActivityEvent(repository.name, entry)


ROUTES = (
    Route("GET", ACTIVITY, show_all),
    Route("GET", REPOSITORY + "/activity", show_repository),
)
