"""The repositories of a test: what failed in each, its upstreams and its faults."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.upstream_urls import hide_password
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.testkit.results import ResultOfTest
from cloudrepo_server.web.portal.log.failures import failed_requests, queried_upstreams


@dataclass(frozen=True, slots=True)
class Connections:
    """The upstreams of a repository, without passwords, and the repositories that query it.

    Attributes:
        upstreams: the upstreams.
        upstream_of: the names of the repositories of which this one is an upstream.
        queries: the number of requests to these repositories for which this one was queried. Only
            the newest requests of a long journal are counted.
    """

    upstreams: Sequence[str]
    upstream_of: Sequence[str]
    queries: int


@dataclass(frozen=True, slots=True)
class RepositoryOfTest:
    """A repository of a test, as a page describes it."""

    name: str
    connections: Connections
    requests: int
    """The number of requests in the journal."""
    failures: Sequence[Entry]
    """The requests that may explain why the test failed, newest first."""
    faults: int


@dataclass(frozen=True, slots=True)
class SessionTest:
    """A test of a pytest session, and its repositories.

    Attributes:
        session: the session.
        started: when the session created its first repository.
        result: the result, or None while the test runs.
        repositories: the test's repositories, sorted by name.
    """

    session: str
    started: str
    result: ResultOfTest | None
    repositories: Sequence[Repository]

    @property
    def first(self) -> str:
        """The name of the first repository, which identifies the test in URLs."""
        return self.repositories[0].name

    @property
    def names(self) -> Sequence[str]:
        """The names of the repositories."""
        return [each.name for each in self.repositories]


def tests_of_sessions(
    organization: Organization, repositories: Sequence[Repository]
) -> list[SessionTest]:
    """Return the tests that use some repositories, in the order of their first repositories."""
    started: dict[str, str] = {}
    tests: dict[tuple[str, str], tuple[ResultOfTest | None, list[Repository]]] = {}
    for repository in repositories:
        document = repository.document
        if not document.run:
            continue
        session, result = document.run, organization.testkit.test_of(document.id)
        started[session] = min(started.get(session, document.created), document.created)
        # Without a result, it is unknown which repositories belong to the same test.
        key = (session, repository.name if result is None else result.node_id)
        tests.setdefault(key, (result, []))[1].append(repository)
    return [
        SessionTest(
            session,
            started[session],
            result,
            sorted(of_test, key=lambda repository: repository.name),
        )
        for (session, _), (result, of_test) in tests.items()
    ]


def _connections_of(
    organization: Organization,
    repositories: Sequence[Repository],
    all_repositories: Sequence[Repository],
) -> Mapping[str, Connections]:
    """Return the connections of some repositories, by name.

    Args:
        organization: the organization.
        repositories: the repositories.
        all_repositories: all repositories of the organization.
    """
    queried_by: dict[str, list[str]] = {each.name: [] for each in repositories}
    queries: Counter[str] = Counter()
    for each in all_repositories:
        found = [upstream for upstream in each.document.upstream if upstream in queried_by]
        for upstream in found:
            queried_by[upstream].append(each.name)
        if found:
            journal = organization.testkit.recorded(each.document.id)
            queries.update(queried_upstreams(journal))
    return {
        each.name: Connections(
            [hide_password(upstream) for upstream in each.document.upstream],
            queried_by[each.name],
            queries[each.name],
        )
        for each in repositories
    }


def describe_repositories(
    organization: Organization,
    repositories: Sequence[Repository],
    all_repositories: Sequence[Repository],
) -> list[RepositoryOfTest]:
    """Return the descriptions of some repositories.

    Args:
        organization: the organization.
        repositories: the repositories.
        all_repositories: all repositories of the organization, for the connections between them.
    """
    testkit = organization.testkit
    connections = _connections_of(organization, repositories, all_repositories)
    described = []
    for each in repositories:
        journal = testkit.recorded(each.document.id)
        described.append(
            RepositoryOfTest(
                each.name,
                connections[each.name],
                0 if journal is None else len(journal.users) + len(journal.anonymous),
                failed_requests(journal),
                0 if organization.shared else len(testkit.faults(each.document.id).all()),
            )
        )
    return described


def find_test(
    organization: Organization, repository: Repository, all_repositories: Sequence[Repository]
) -> SessionTest | None:
    """Return the test to which a repository belongs, or None if it belongs to no session."""
    session = repository.document.run
    same_session = [each for each in all_repositories if session and each.document.run == session]
    tests = tests_of_sessions(organization, same_session)
    return next((test for test in tests if repository.name in test.names), None)


async def repository_context(organization: Organization, repository: Repository) -> dict[str, Any]:
    """Return the template variables about the test, upstreams and faults of a repository."""
    test, failures, faults = None, 0, 0
    all_repositories: Sequence[Repository] = []
    # A shared store has no results of tests, and reading all its repositories takes long.
    if not organization.shared:
        all_repositories = await organization.repositories()
        test = find_test(organization, repository, all_repositories)
        faults = len(organization.testkit.faults(repository.document.id).all())
    if test is not None:
        described = describe_repositories(organization, test.repositories, all_repositories)
        failures = sum(len(each.failures) for each in described)
    connections = _connections_of(organization, [repository], all_repositories)
    return {
        "test": test,
        "failure_count": failures,
        "fault_count": faults,
        "connections": connections[repository.name],
    }
