"""The journals, faults, impersonations and test results of one server process."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from cloudrepo_server.errors import ExclusiveStorageRequiredError
from cloudrepo_server.limits import JOURNAL_TEXT
from cloudrepo_server.logs.redaction import redacted_record
from cloudrepo_server.models import ProjectDocument, RepositoryDocument, SerialsDocument
from cloudrepo_server.testkit.fault_kinds import FaultSpecification, StalePage
from cloudrepo_server.testkit.faults import (
    Faults,
    InstalledFault,
    RequestFacts,
)
from cloudrepo_server.testkit.feed import Feed
from cloudrepo_server.testkit.impersonation import Impersonation
from cloudrepo_server.testkit.impersonations import Impersonations
from cloudrepo_server.testkit.journal import Entry, Journal
from cloudrepo_server.testkit.journals import Journals
from cloudrepo_server.testkit.results import ResultOfTest


class FaultyRepository(Protocol):
    """The part of a repository that a fault needs."""

    document: RepositoryDocument

    async def project_names(self) -> list[str]:
        """Return the normalized names of all projects, sorted."""

    async def project(self, name: str) -> ProjectDocument | None:
        """Return the project with this name, or None."""

    async def all_serials(self, names: Sequence[str]) -> SerialsDocument:
        """Return the serials of all projects."""


class TestkitRegistry:
    """The journal, faults, impersonations and test of each repository.

    A server with a shared store has none of them. It receives only some of the requests, so its
    journal would be incomplete and its faults would affect an arbitrary part of the requests.
    """

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._impersonations = Impersonations()
        self._journals = Journals()
        self._faults: dict[str, Faults] = {}
        self._tests: dict[str, ResultOfTest] = {}

    def journal(self, repository_id: str) -> Journal:
        """Return the journal of the requests that this process received for a repository.

        Raises:
            ExclusiveStorageRequiredError: this server shares its store.
        """
        self._require_exclusive_storage("The journal")
        return self._journals.get(repository_id)

    @property
    def feed(self) -> Feed:
        """The newest completed requests of all journals."""
        return self._journals.feed

    def record(self, journal_id: str, entry: Entry) -> None:
        """Add a request to a journal, unless this server shares its store.

        Args:
            journal_id: the id of a repository, or `CHANGES_JOURNAL` for a change by the admin API
                or in the portal.
            entry: the request.
        """
        if not self._shared:
            self._journals.get(journal_id).add(entry)

    def record_blocked_request(
        self,
        impersonation: Impersonation,
        method: str,
        url: str,
        *,
        host: str,
        user_agent: str = "",
        headers: msgspec.Raw | None = None,
        login_problem: str | None = None,
    ) -> Entry:
        """Record a request that the proxy blocked, and return the entry.

        Args:
            impersonation: the impersonation that the client uses.
            method: the method of the request.
            url: the URL, or the host and port of a tunnel.
            host: the host of the URL.
            user_agent: the client.
            headers: the masked headers.
            login_problem: why the proxy rejected the login; None if the host is not allowed.
        """
        entry = Entry(
            kind="blocked",
            repository=impersonation.repository,
            method=redacted_record(method),
            path=redacted_record(url),
            user_agent=redacted_record(user_agent),
            headers=headers,
            status=403 if login_problem is None else 407,
        )
        hidden = redacted_record(host[:JOURNAL_TEXT])
        entry.reason = login_problem or f"{hidden} may not be reached from this environment"
        self.record(impersonation.repository_id, entry)
        # Only programs with the proxy's secret send such requests.
        self.settle(impersonation.repository_id, entry, anonymous=False)
        return entry

    def settle(self, journal_id: str, entry: Entry, *, anonymous: bool) -> None:
        """Move a recorded request to its queue in the journal, once its user and form are known."""
        self._journals.settle(journal_id, entry, anonymous=anonymous)

    def complete(self, entry: Entry) -> None:
        """Publish a request in the feed, if it has a response and has left its handler."""
        self._journals.complete(entry)

    def recorded(self, journal_id: str) -> Journal | None:
        """Return the journal of a repository or of changes, or None if nothing was recorded."""
        return self._journals.find(journal_id)

    def faults(self, repository_id: str) -> Faults:
        """Return the faults that this process produces in a repository.

        Raises:
            ExclusiveStorageRequiredError: this server shares its store.
        """
        self._require_exclusive_storage("A fault")
        return self._faults.setdefault(repository_id, Faults())

    def record_test(self, repository_id: str, result: ResultOfTest) -> None:
        """Record which test used a repository, and its outcome.

        Raises:
            ExclusiveStorageRequiredError: this server shares its store.
        """
        self._require_exclusive_storage("The result of a test")
        self._tests[repository_id] = result

    def test_of(self, repository_id: str) -> ResultOfTest | None:
        """Return the test that used a repository, or None if it is unknown."""
        return self._tests.get(repository_id)

    async def install_fault(
        self, repository: FaultyRepository, specification: FaultSpecification
    ) -> InstalledFault:
        """Install a fault, which takes effect from the next request on.

        Raises:
            ExclusiveStorageRequiredError: this server shares its store.
        """
        faults = self.faults(repository.document.id)
        fault = InstalledFault(specification)
        if isinstance(specification, StalePage):
            names = await repository.project_names()
            fault.serials = await repository.all_serials(names)
            for name in names:
                project = await repository.project(name)
                if project is not None:
                    fault.snapshot[name] = project
        faults.add(fault)
        return fault

    def has_faults(self, repository_id: str) -> bool:
        """Return whether a repository has faults."""
        faults = self._faults.get(repository_id)
        return faults is not None and not faults.is_empty

    def fire_faults(
        self, repository_id: str, facts: RequestFacts, *, project_faults_only: bool = False
    ) -> list[InstalledFault]:
        """Return the faults that fire for a request, and count them."""
        faults = self._faults.get(repository_id)
        if faults is None:
            return []
        return faults.fire(facts, project_faults_only=project_faults_only)

    def fire_next_fault(
        self, repository_id: str, facts: RequestFacts, after: InstalledFault
    ) -> InstalledFault | None:
        """Return the next fault that fires for a request, or None.

        It replaces the fault `after`, which has nothing to change in the response.
        """
        faults = self._faults.get(repository_id)
        return None if faults is None else faults.fire_next(facts, after)

    @property
    def impersonations(self) -> Impersonations:
        """The impersonations of all repositories.

        Raises:
            ExclusiveStorageRequiredError: this server shares its store.
        """
        self._require_exclusive_storage("An impersonation")
        return self._impersonations

    def forget(self, repository_id: str) -> None:
        """Delete the journal, faults, impersonations and test of a deleted repository."""
        self._journals.delete(repository_id)
        self._faults.pop(repository_id, None)
        self._tests.pop(repository_id, None)
        self._impersonations.delete_all(repository_id)

    def _require_exclusive_storage(self, what: str) -> None:
        if self._shared:
            raise ExclusiveStorageRequiredError(
                f"{what} needs a server that does not share its store: "
                "start one with a store of its own."
            )
