"""What clients asked of the repositories: uploads, downloads and refusals, newest first."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import ACTIVITY, REPOSITORY
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_SHOWN = 1000
_LOOKED_AT = 20_000
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class ActivityEvent:
    """One request that was answered, and to which repository it was."""

    repository: str
    entry: Entry

    @property
    def kind(self) -> str:
        """What it was: an upload, a download, a look at a page, or a refusal."""
        if (self.entry.status or 0) >= _REFUSED:
            return "refusal"
        if self.entry.method == "POST":
            return "upload"
        return "page" if self.entry.filename is None else "download"


_KINDS: Mapping[str, Callable[[ActivityEvent], bool]] = {
    "all": lambda each: each.kind != "page",
    "uploads": lambda each: each.kind == "upload",
    "downloads": lambda each: each.kind == "download",
    "refusals": lambda each: each.kind == "refusal",
    "pages": lambda each: each.kind == "page",
}


async def show(request: PortalRequest) -> web.Response:
    """That of every repository."""
    return _page(request, "activity.html", await request.organization.repositories())


async def show_of_repository(request: PortalRequest) -> web.Response:
    """That of one repository."""
    repository = await request.repository()
    return _page(request, "repository_activity.html", [repository], repository)


def latest_uploads(
    organization: Organization, repositories: Iterable[Repository], number: int
) -> list[ActivityEvent]:
    """The newest uploads."""
    return _newest(organization, repositories, _KINDS["uploads"], number)


def _page(
    request: PortalRequest,
    template: str,
    repositories: Iterable[Repository],
    repository: Repository | None = None,
) -> web.Response:
    kind = request.query.get("kind", "all")
    if kind not in _KINDS:
        kind = "all"
    events = _newest(request.organization, repositories, _KINDS[kind], _SHOWN)
    return request.render(
        template,
        kind=kind,
        kinds=tuple(_KINDS),
        paging=paginate(events, request.query, keep=["kind"]),
        shown_at_most=_SHOWN,
        shared=request.organization.shared,
        repository=repository,
        current="activity",
    )


def _newest(
    organization: Organization,
    repositories: Iterable[Repository],
    wanted: Callable[[ActivityEvent], bool],
    number: int,
) -> list[ActivityEvent]:
    merged = heapq.merge(
        *(_backwards(organization, each) for each in repositories),
        key=lambda each: each.entry.arrived,
        reverse=True,
    )
    answered = (each for each in islice(merged, _LOOKED_AT) if each.entry.status is not None)
    return list(islice(filter(wanted, answered), number))


def _backwards(organization: Organization, repository: Repository) -> Iterator[ActivityEvent]:
    for entry in reversed(organization.testkit.recorded(repository.document.id)):
        yield ActivityEvent(repository.name, entry)


ROUTES = (
    Route("GET", ACTIVITY, show),
    Route("GET", REPOSITORY + "/activity", show_of_repository),
)
