"""Impersonations: repositories that are served under other hosts' URLs to a test's subprocesses."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from cloudrepo_server.errors import InvalidError, NotFoundError

_PORTS = {"http": 80, "https": 443}
_CLOUDREPO = "/repositories/"


class UrlPrefix(msgspec.Struct, frozen=True):
    """A URL that is impersonated, with all URLs below it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_cloudrepo(self) -> bool:
        """Whether this is the URL of a CloudRepo repository, where every request needs a login."""
        return _CLOUDREPO in self.path + "/"

    def relative_path(self, path: str) -> str | None:
        """Return the part of a path after this prefix, or None if it is elsewhere."""
        if path == self.path or path.startswith(self.path + "/"):
            return path[len(self.path) :]
        return None


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The URLs under which a repository is served, and the hosts that stay reachable.

    `id` and `secret` are the credentials of the proxy that subprocesses use.
    """

    repository: str
    repository_id: str
    prefixes: tuple[UrlPrefix, ...]
    allowed_hosts: frozenset[str]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def allows(self, host: str) -> bool:
        """Return whether subprocesses may connect to the real host."""
        return host in self.allowed_hosts

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Return whether the repository is served under some URL of this host."""
        return any(
            (scheme, host, port) == (prefix.scheme, prefix.host, prefix.port)
            for prefix in self.prefixes
        )

    def relative_path(self, scheme: str, host: str, port: int, path: str) -> str | None:
        """Return the part of a URL's path after the longest prefix that matches, or None."""
        for prefix in sorted(self.prefixes, key=lambda prefix: -len(prefix.path)):
            if (scheme, host, port) == (prefix.scheme, prefix.host, prefix.port):
                relative = prefix.relative_path(path)
                if relative is not None:
                    return relative
        return None

    def allows_anonymous_reads(self, scheme: str, host: str, port: int) -> bool:
        """Return whether reads from this host need no login, as on a public index."""
        return any(
            (scheme, host, port) == (prefix.scheme, prefix.host, prefix.port)
            and not prefix.is_cloudrepo
            for prefix in self.prefixes
        )


class Impersonations:
    """Every impersonation of this process, by the proxy's credentials."""

    def __init__(self) -> None:
        self._by_id: dict[str, Impersonation] = {}

    def add(
        self, repository: str, repository_id: str, *, urls: Sequence[str], allow: Sequence[str]
    ) -> Impersonation:
        """Serve a repository under these URLs, and allow connections to these hosts.

        Raises:
            InvalidError: one is not an http or https URL.
        """
        impersonation = Impersonation(
            repository,
            repository_id,
            tuple(_parse_prefix(url) for url in urls),
            frozenset(host.lower() for host in allow),
        )
        self._by_id[impersonation.id] = impersonation
        return impersonation

    def find(self, impersonation_id: str, secret: str) -> Impersonation | None:
        """Return the impersonation with these proxy credentials, or None."""
        impersonation = self._by_id.get(impersonation_id)
        if impersonation is None:
            return None
        if not hmac.compare_digest(impersonation.secret.encode(), secret.encode()):
            return None
        return impersonation

    def delete(self, repository_id: str, impersonation_id: str) -> None:
        """Delete an impersonation of a repository.

        Raises:
            NotFoundError: the repository has no impersonation with this id.
        """
        impersonation = self._by_id.get(impersonation_id)
        if impersonation is None or impersonation.repository_id != repository_id:
            raise NotFoundError(f"The impersonation {impersonation_id} was not found.")
        del self._by_id[impersonation_id]

    def delete_all(self, repository_id: str) -> None:
        """Delete every impersonation of a repository."""
        for impersonation in list(self._by_id.values()):
            if impersonation.repository_id == repository_id:
                del self._by_id[impersonation.id]


def _parse_prefix(url: str) -> UrlPrefix:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        parts, port = urlsplit(""), None
    if port is None or not parts.hostname or not url.isprintable() or " " in url:
        raise InvalidError(f"{url[:200]!r} is not an http or https URL.")
    return UrlPrefix(parts.scheme, parts.hostname.lower(), port, parts.path.rstrip("/"))
