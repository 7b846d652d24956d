"""All impersonations of a server process."""

import contextlib
import hmac
from collections.abc import Callable, Iterator, Sequence

from cloudrepo_server.changes import note_change
from cloudrepo_server.errors import InvalidError, NotFoundError
from cloudrepo_server.limits import MAX_IMPERSONATIONS
from cloudrepo_server.testkit.impersonated_urls import IndexUrls, check_host, parse_url_prefix
from cloudrepo_server.testkit.impersonation import Impersonation, ProxyLogin


class Impersonations:
    """Every impersonation of this process, by the proxy's credentials."""

    def __init__(self) -> None:
        self._by_id: dict[str, Impersonation] = {}
        self._closers: dict[str, set[Callable[[], object]]] = {}
        """The functions that close the connections of each impersonation."""

    def add(
        self,
        repository: str,
        repository_id: str,
        *,
        urls: Sequence[str],
        allow: Sequence[str],
        indexes: Sequence[IndexUrls] = (),
        requires_login: bool = False,
        proxy_login: ProxyLogin | None = None,
        job: str | None = None,
    ) -> Impersonation:
        """Create and return an impersonation of a repository.

        Args:
            repository: the name of the repository.
            repository_id: the id of the repository.
            urls: the URLs under which the repository is served.
            allow: the real hosts to which connections are allowed.
            indexes: the public indexes whose URLs are all impersonated.
            requires_login: whether reads need a login at every URL.
            proxy_login: the login of a separate proxy.
            job: the token of the CI job whose programs use the impersonation, if they run in one.

        Raises:
            InvalidError: a URL is not an http or https URL, a host is not a host name, or the
                repository has too many impersonations.
        """
        of_repository = [each.repository_id for each in self._by_id.values()]
        if of_repository.count(repository_id) >= MAX_IMPERSONATIONS:
            raise InvalidError(
                f"The repository {repository} has {MAX_IMPERSONATIONS} impersonations already: "
                "delete some first."
            )
        impersonation = Impersonation(
            repository,
            repository_id,
            (
                *(parse_url_prefix(url) for url in urls),
                *(prefix for index in indexes for prefix in index.prefixes()),
            ),
            frozenset(check_host(host) for host in allow),
            tuple(indexes),
            requires_login,
            proxy_login,
            job,
        )
        self._by_id[impersonation.id] = impersonation
        note_change(
            "add-impersonation",
            repository=repository,
            subject=impersonation.id,
            detail=", ".join([*urls, *(index.web for index in indexes)]),
        )
        return impersonation

    def find(self, impersonation_id: str, secret: str) -> Impersonation | None:
        """Return the impersonation with these proxy credentials, or None."""
        impersonation = self._by_id.get(impersonation_id)
        if impersonation is None:
            return None
        if not hmac.compare_digest(impersonation.secret.encode(), secret.encode()):
            return None
        return impersonation

    def of(self, repository_id: str) -> list[Impersonation]:
        """Return the impersonations of a repository, oldest first."""
        return [each for each in self._by_id.values() if each.repository_id == repository_id]

    def is_active(self, impersonation: Impersonation) -> bool:
        """Return whether an impersonation exists, and was not deleted."""
        return self._by_id.get(impersonation.id) is impersonation

    @contextlib.contextmanager
    def closing(self, impersonation: Impersonation, close: Callable[[], object]) -> Iterator[None]:
        """Call `close` if the impersonation is deleted during the context."""
        closers = self._closers.setdefault(impersonation.id, set())
        closers.add(close)
        try:
            yield
        finally:
            closers.discard(close)
            if not closers:
                self._closers.pop(impersonation.id, None)

    def close_with(self, impersonation: Impersonation, close: Callable[[], object]) -> None:
        """Call `close` when the impersonation is deleted."""
        self._closers.setdefault(impersonation.id, set()).add(close)

    def delete(self, repository_id: str, impersonation_id: str) -> None:
        """Delete an impersonation of a repository, and close its connections.

        Raises:
            NotFoundError: the repository has no impersonation with this id.
        """
        impersonation = self._by_id.get(impersonation_id)
        if impersonation is None or impersonation.repository_id != repository_id:
            raise NotFoundError(f"The impersonation {impersonation_id} was not found.")
        self._delete(impersonation)
        note_change(
            "remove-impersonation", repository=impersonation.repository, subject=impersonation.id
        )

    def delete_all(self, repository_id: str) -> None:
        """Delete every impersonation of a repository."""
        for impersonation in list(self._by_id.values()):
            if impersonation.repository_id == repository_id:
                self._delete(impersonation)

    def _delete(self, impersonation: Impersonation) -> None:
        del self._by_id[impersonation.id]
        for close in self._closers.pop(impersonation.id, ()):
            close()
