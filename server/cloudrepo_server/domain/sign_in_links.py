"""One-time links that sign a browser in to the portal without the admin password."""

import secrets
from collections.abc import Callable
from time import monotonic

import msgspec

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.passphrases import hash_secret
from cloudrepo_server.errors import ConflictError, ExclusiveStorageRequiredError
from cloudrepo_server.limits import MAX_SIGN_IN_LINKS, SIGN_IN_LINK_SECONDS

_SECRET_BYTES = 32


class _Link(msgspec.Struct, frozen=True):
    username: str
    repository: str
    expires: float


class SignInLinks:
    """The unused links that this server process issued.

    Their digests are kept in memory only. So a link is not valid on another server, nor after a
    restart.
    """

    def __init__(self, *, shared: bool, clock: Callable[[], float] = monotonic) -> None:
        """Start without any link.

        Args:
            shared: whether other servers use the same store. Such servers would reject the links.
            clock: returns the current time in seconds.
        """
        self._shared = shared
        self._clock = clock
        self._links: dict[str, _Link] = {}

    def issue(self, username: str, repository: str) -> str:
        """Issue a link, and return its secret.

        Args:
            username: the user that the link signs in.
            repository: the name of the repository that the link leads to.

        Raises:
            ExclusiveStorageRequiredError: other servers use the same store.
            ConflictError: too many links are unused.
        """
        if self._shared:
            raise ExclusiveStorageRequiredError(
                "A sign-in link needs a server that does not share its store: "
                "start one with a store of its own."
            )
        now = self._clock()
        self._links = {key: link for key, link in self._links.items() if link.expires > now}
        if len(self._links) >= MAX_SIGN_IN_LINKS:
            raise ConflictError(
                f"There are {MAX_SIGN_IN_LINKS} unused sign-in links, which is the limit: "
                f"wait {SIGN_IN_LINK_SECONDS} seconds until they expire."
            )
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        self._links[hash_secret(secret)] = _Link(username, repository, now + SIGN_IN_LINK_SECONDS)
        note_change("sign-in-link", repository=repository, subject=username)
        return secret

    def redeem(self, secret: str) -> tuple[str, str] | None:
        """Invalidate a link, and return its user name and its repository.

        Return None if the link is unknown, was used already or has expired.
        """
        link = self._links.pop(hash_secret(secret), None)
        if link is None or link.expires <= self._clock():
            return None
        return link.username, link.repository
