"""What tests look at and meddle with: the journals, faults and impersonations of one process."""

from collections.abc import Sequence

from cloudrepo_server.errors import ExclusiveStorageRequiredError
from cloudrepo_server.testkit.faults import Faults, InstalledFault, RequestFacts
from cloudrepo_server.testkit.impersonation import Impersonations
from cloudrepo_server.testkit.journal import Entry, Journal


class TestkitRegistry:
    """Each repository's journal and faults, and the impersonations.

    A server that shares its store has none: it sees a part of the requests, and its faults would
    strike a part of them, while none of it says which.
    """

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._impersonations = Impersonations()
        self._journals: dict[str, Journal] = {}
        self._faults: dict[str, Faults] = {}

    def journal(self, repository_id: str) -> Journal:
        """The requests that a repository received from this process.

        Raises:
            ExclusiveStorageRequiredError: this server shares its store.
        """
        self._require_alone("The journal")
        known = self._journals.get(repository_id)
        if known is None:
            known = self._journals[repository_id] = Journal()
        return known

    def note(self, repository_id: str, entry: Entry) -> None:
        """Note a request, where there is a journal."""
        if not self._shared:
            self.journal(repository_id).add(entry)

    def noted(self, repository_id: str) -> Sequence[Entry]:
        """The requests that were noted, oldest first."""
        known = self._journals.get(repository_id)
        return () if known is None else known.entries

    def faults(self, repository_id: str) -> Faults:
        """The failures that this process produces in a repository.

        Raises:
            ExclusiveStorageRequiredError: this server shares its store.
        """
        self._require_alone("A fault")
        return self._faults.setdefault(repository_id, Faults())

    def strike(
        self, repository_id: str, facts: RequestFacts, *, by_project: bool = False
    ) -> list[InstalledFault]:
        """The faults that strike a request."""
        known = self._faults.get(repository_id)
        return [] if known is None else known.strike(facts, by_project=by_project)

    @property
    def impersonations(self) -> Impersonations:
        """The repositories that stand for others' URLs.

        Raises:
            ExclusiveStorageRequiredError: this server shares its store.
        """
        self._require_alone("An impersonation")
        return self._impersonations

    def forget(self, repository_id: str) -> None:
        """Forget all of a repository that is gone."""
        self._journals.pop(repository_id, None)
        self._faults.pop(repository_id, None)
        self._impersonations.forget(repository_id)

    def _require_alone(self, what: str) -> None:
        if self._shared:
            raise ExclusiveStorageRequiredError(
                f"{what} belongs to one server, and this one shares its store with others: "
                "start a server of your own for it."
            )
