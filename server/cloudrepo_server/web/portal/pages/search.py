"""The search over all repositories, projects, files and users."""

from urllib.parse import urlencode

from aiohttp import web

from cloudrepo_server.pools import PAGES
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import SEARCH
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.search import (
    KINDS,
    SearchResults,
    SearchText,
    highlighter,
    search_all,
)

_FIRST_RESULTS = 5


async def show(request: PortalRequest) -> web.Response:
    """Show the results of each kind, or all results of the kind that the query names."""
    given = " ".join(request.query.get("q", "").split())
    text = SearchText.of(given)
    organization = request.organization
    repositories = await organization.repositories()
    summaries = await organization.catalogue.read([each.document for each in repositories])
    found = SearchResults()
    if text.terms:
        # Copies, since a background task may change the summaries meanwhile.
        projects = {
            each.name: list(summaries[each.document.id].projects.values()) for each in repositories
        }
        users = [user.email for user in await organization.users.all()]
        found = await PAGES.run(search_all, text, projects, users)
    kind = request.query.get("kind", "")
    kind = kind if kind in KINDS else ""
    pagination = paginate(found.of_kind(kind), request.query, keep=["q", "kind"]) if kind else None
    return request.render(
        "search.html",
        search=given,
        kind=kind,
        pagination=pagination,
        groups=[
            (
                each,
                title,
                len(found.of_kind(each)),
                found.has_more(each),
                found.of_kind(each)[:_FIRST_RESULTS] if pagination is None else pagination.items,
                "?" + urlencode({"q": given, "kind": each}),
            )
            for each, title in KINDS.items()
            if kind in ("", each) and found.of_kind(each)
        ],
        highlight=highlighter(text),
        highlight_project=highlighter(text.for_projects()),
        unread_count=sum(len(summary.unread) for summary in summaries.values()),
    )


ROUTES = (Route("GET", SEARCH, show),)
