"""The pytest sessions that use this server, their tests, and the repositories of each test."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.testkit.results import ResultOfTest
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import TESTS
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_ORDER = {"failed": 0, "passed": 1, "skipped": 2}


@dataclass(frozen=True, slots=True)
class _Test:
    """A test of a pytest session, and its repositories."""

    session: str
    started: str
    """When the session created its first repository."""
    result: ResultOfTest | None
    """The result, or None while the test runs."""
    repositories: Sequence[str]


async def show(request: PortalRequest) -> web.Response:
    """Show the tests, grouped by session: the newest session first, its failed tests first."""
    tests = await _tests(request)
    pagination = paginate(tests, request.query)
    sessions = [
        (session, list(of_session))
        for session, of_session in groupby(pagination.items, key=lambda test: test.session)
    ]
    return request.render("tests.html", sessions=sessions, pagination=pagination)


async def _tests(request: PortalRequest) -> list[_Test]:
    test_of = request.organization.testkit.test_of
    repositories = [each for each in await request.organization.repositories() if each.document.run]
    started: dict[str, str] = {}
    tests: dict[tuple[str, str], tuple[ResultOfTest | None, list[Repository]]] = {}
    for repository in repositories:
        document = repository.document
        session, result = document.run or "", test_of(document.id)
        started[session] = min(started.get(session, document.created), document.created)
        # Without a result, it is unknown which repositories belong to the same test.
        key = (session, repository.name if result is None else result.node_id)
        tests.setdefault(key, (result, []))[1].append(repository)
    rows = [
        _Test(
            session,
            started[session],
            result,
            sorted(each.name for each in of_test),
        )
        for (session, _), (result, of_test) in tests.items()
    ]
    rows.sort(key=_within_session)
    # A stable sort keeps the order within each session.
    rows.sort(key=lambda test: (test.started, test.session), reverse=True)
    return rows


def _within_session(test: _Test) -> tuple[int, str]:
    if test.result is None:
        return (len(_ORDER), test.repositories[0])
    return (_ORDER[test.result.outcome], test.result.node_id)


ROUTES = (Route("GET", TESTS, show),)
