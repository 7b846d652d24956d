"""Which hosts a test's programs reach: those a repository stands for, those let through."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from cloudrepo_server.errors import InvalidError, NotFoundError

_PORTS = {"http": 80, "https": 443}
_CLOUDREPO = "/repositories/"


class Place(msgspec.Struct, frozen=True):
    """A URL that a repository stands for, and all below it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_cloudrepo(self) -> bool:
        """Whether it is the URL of a CloudRepo repository, where every request needs a login."""
        return _CLOUDREPO in self.path + "/"

    def below(self, path: str) -> str | None:
        """What of the path is below this place, or None."""
        if path == self.path or path.startswith(self.path + "/"):
            return path[len(self.path) :]
        return None


@dataclass(frozen=True, slots=True)
class Impersonation:
    """A way through the proxy: its `id` and `secret` are the proxy's credentials."""

    repository: str
    repository_id: str
    places: tuple[Place, ...]
    allowed: frozenset[str]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def allows(self, host: str) -> bool:
        """Whether the host is let through to the real one."""
        return host in self.allowed

    def stands_for(self, scheme: str, host: str, port: int) -> bool:
        """Whether the repository answers for the host at all."""
        return any((scheme, host, port) == (p.scheme, p.host, p.port) for p in self.places)

    def below(self, scheme: str, host: str, port: int, path: str) -> str | None:
        """What of a URL's path is below the place that it is in, the longest place first."""
        for place in sorted(self.places, key=lambda each: -len(each.path)):
            if (scheme, host, port) == (place.scheme, place.host, place.port):
                below = place.below(path)
                if below is not None:
                    return below
        return None

    def lets_anybody_read(self, scheme: str, host: str, port: int) -> bool:
        """Whether reads at that host need no login, as on a public index."""
        return any(
            (scheme, host, port) == (place.scheme, place.host, place.port)
            and not place.is_cloudrepo
            for place in self.places
        )


class Impersonations:
    """Every impersonation of this process, by the proxy's credentials."""

    def __init__(self) -> None:
        self._known: dict[str, Impersonation] = {}

    def add(
        self, repository: str, repository_id: str, *, urls: Sequence[str], allow: Sequence[str]
    ) -> Impersonation:
        """Let the repository stand for these URLs, and let these hosts through.

        Raises:
            InvalidError: one is not a URL that a program opens.
        """
        made = Impersonation(
            repository,
            repository_id,
            tuple(_read_place(url) for url in urls),
            frozenset(host.lower() for host in allow),
        )
        self._known[made.id] = made
        return made

    def find(self, name: str, secret: str) -> Impersonation | None:
        """The impersonation of those proxy credentials, or None."""
        known = self._known.get(name)
        if known is None or not hmac.compare_digest(known.secret.encode(), secret.encode()):
            return None
        return known

    def remove(self, repository_id: str, impersonation_id: str) -> None:
        """End one.

        Raises:
            NotFoundError: the repository has none of that id.
        """
        known = self._known.get(impersonation_id)
        if known is None or known.repository_id != repository_id:
            raise NotFoundError(f"There is no impersonation {impersonation_id}.")
        del self._known[impersonation_id]

    def forget(self, repository_id: str) -> None:
        """End all of a repository."""
        for known in list(self._known.values()):
            if known.repository_id == repository_id:
                del self._known[known.id]


def _read_place(url: str) -> Place:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        parts, port = urlsplit(""), None
    if port is None or not parts.hostname or not url.isprintable() or " " in url:
        raise InvalidError(f"{url[:200]!r} is not an http or https URL.")
    return Place(parts.scheme, parts.hostname.lower(), port, parts.path.rstrip("/"))
