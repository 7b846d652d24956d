"""The pytest sessions that use this server, their tests, and the repositories of each test."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.web.portal.log.failures import has_failures
from cloudrepo_server.web.portal.log.rows import Row
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import TEST, TESTS
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.repositories_of_tests import (
    RepositoryOfTest,
    SessionTest,
    describe_repositories,
    find_test,
    tests_of_sessions,
)

_ORDER = {"failed": 0, "passed": 1, "skipped": 2}
_TESTS_ON_PAGE = 25
_FAILURES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class _Listed:
    test: SessionTest
    repositories: Sequence[RepositoryOfTest]

    @property
    def failures(self) -> int:
        return sum(len(each.failures) for each in self.repositories)


async def show(request: PortalRequest) -> web.Response:
    """Show the tests, grouped by session, the newest session first.

    In each session, failed tests are first, then the other tests with failed requests.
    """
    all_repositories = await request.organization.repositories()
    tests = tests_of_sessions(request.organization, all_repositories)
    tests.sort(key=lambda test: _order_in_session(request.organization, test))
    # A stable sort keeps the order within each session.
    tests.sort(key=lambda test: (test.started, test.session), reverse=True)
    pagination = paginate(tests, request.query, page_size=_TESTS_ON_PAGE)
    shown = [each for test in pagination.items for each in test.repositories]
    described = {
        each.name: each
        for each in describe_repositories(request.organization, shown, all_repositories)
    }
    listed = [_Listed(test, [described[name] for name in test.names]) for test in pagination.items]
    sessions = [
        (session, list(of_session))
        for session, of_session in groupby(listed, key=lambda each: each.test.session)
    ]
    return request.render("tests.html", sessions=sessions, pagination=pagination)


async def show_test(request: PortalRequest) -> web.Response:
    """Show a test: the failed requests to all its repositories, then the repositories."""
    repository = await request.repository()
    all_repositories = await request.organization.repositories()
    test = find_test(request.organization, repository, all_repositories)
    if test is None:
        raise NotFoundError(f"The repository {repository.name} belongs to no pytest session.")
    repositories = describe_repositories(request.organization, test.repositories, all_repositories)
    failures = [entry for each in repositories for entry in each.failures]
    failures.sort(key=lambda entry: entry.settled, reverse=True)
    return request.render(
        "test.html",
        test=test,
        repositories=repositories,
        rows=[Row(entry) for entry in failures[:_FAILURES_SHOWN]],
        failure_count=len(failures),
    )


def _order_in_session(organization: Organization, test: SessionTest) -> tuple[int, bool, int, str]:
    """Return the key that sorts the tests of a session."""
    is_failed = test.result is not None and test.result.outcome == "failed"
    journals = (organization.testkit.recorded(each.document.id) for each in test.repositories)
    has_failed_requests = not is_failed and any(map(has_failures, journals))
    if test.result is None:
        return (1, not has_failed_requests, len(_ORDER), test.first)
    order = _ORDER[test.result.outcome]
    return (0 if is_failed else 1, not has_failed_requests, order, test.result.node_id)


ROUTES = (
    Route("GET", TESTS, show),
    Route("GET", TEST, show_test),
)
