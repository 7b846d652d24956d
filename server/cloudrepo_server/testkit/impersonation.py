"""Impersonations: a test's subprocesses reach a repository at the URLs of other hosts."""

import contextlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec
from yarl import URL

from cloudrepo_server.changes import note_change
from cloudrepo_server.errors import InvalidError, NotFoundError
from cloudrepo_server.limits import MAX_IMPERSONATIONS, MAX_PROXY_LOGIN, MAX_UPSTREAM_URL

_PORTS = {"http": 80, "https": 443}
_CLOUDREPO = "/repositories/"
_MAX_SHOWN = 200


class UrlPrefix(msgspec.Struct, frozen=True):
    """A URL that is impersonated, with all URLs below it."""

    scheme: str
    host: str
    port: int
    path: str
    below: str = ""
    """The path below the repository's URL that is served at this prefix."""

    @property
    def is_https(self) -> bool:
        """Whether clients use TLS."""
        return self.scheme == "https"

    @property
    def is_cloudrepo(self) -> bool:
        """Whether this is the URL of a CloudRepo repository, where every request needs a login."""
        return _CLOUDREPO in self.path + "/"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    def relative_path(self, path: str) -> str | None:
        """Return the corresponding path below the repository's URL, or None for other paths."""
        if path == self.path or path.startswith(self.path + "/"):
            return self.below + path[len(self.path) :]
        return None


class IndexUrls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The URLs of an index whose parts have hosts and paths of their own, as PyPI's have.

    Attributes:
        upload: the URL for uploads.
        web: the URL below which are the simple API, the JSON API and the integrity API.
        files: the URL of the host with the files.
    """

    upload: str
    web: str
    files: str

    def prefixes(self) -> tuple[UrlPrefix, ...]:
        """Return the impersonated URLs.

        Raises:
            InvalidError: a URL is not an http or https URL.
        """
        web, files = parse_url_prefix(self.web), parse_url_prefix(self.files)
        return (
            parse_url_prefix(self.upload),
            *(_part(web, "/" + part) for part in ("simple", "pypi", "integrity")),
            _part(files, "/packages"),
        )


def _part(prefix: UrlPrefix, path: str) -> UrlPrefix:
    return msgspec.structs.replace(prefix, path=prefix.path + path, below=path)


class ProxyLogin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The user name and password of a proxy with its own port and login."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"ProxyLogin({self.username!r})"

    def check(self) -> None:
        """Check the login.

        Raises:
            InvalidError: no client can send it.
        """
        texts = (self.username, self.password)
        if ":" in self.username or not all(
            text and text.isprintable() and len(text) <= MAX_PROXY_LOGIN for text in texts
        ):
            raise InvalidError(
                "The user name and password of a proxy must have 1 to "
                f"{MAX_PROXY_LOGIN} printable characters each, and the user name no colon."
            )

    def accepts(self, credentials: tuple[str, str] | None) -> bool:
        """Return whether a client sent this login."""
        if credentials is None:
            return False
        given, expected = ":".join(credentials), f"{self.username}:{self.password}"
        return hmac.compare_digest(given.encode(), expected.encode())


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The URLs under which a repository is served, and the hosts that stay reachable.

    `id` and `secret` are the credentials of the proxy that subprocesses use.
    """

    repository: str
    repository_id: str
    prefixes: tuple[UrlPrefix, ...]
    allowed_hosts: frozenset[str]
    indexes: tuple[IndexUrls, ...] = ()
    requires_login: bool = False
    """Whether reads need a login at every URL."""
    proxy_login: ProxyLogin | None = None
    """The login of the separate proxy, if the impersonation has one."""
    job: str | None = field(default=None, repr=False)
    """The token of the CI job whose programs use the impersonation, if they run in one."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def allows(self, host: str, port: int) -> bool:
        """Return whether subprocesses may connect to the real host.

        A port at which the repository is served is not allowed, even if its host is. The scheme
        does not matter: a client can send plain HTTP through a connection that CONNECT has opened.
        """
        return host in self.allowed_hosts and not any(
            (host, port) == (prefix.host, prefix.port) for prefix in self.prefixes
        )

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Return whether the repository is served under some URL of this host."""
        return any(
            (scheme, host, port) == (prefix.scheme, prefix.host, prefix.port)
            for prefix in self.prefixes
        )

    def index_at(self, scheme: str, host: str, port: int) -> IndexUrls | None:
        """Return the index that is impersonated by name and has URLs at this host, or None."""
        for index in self.indexes:
            for prefix in index.prefixes():
                if (scheme, host, port) == (prefix.scheme, prefix.host, prefix.port):
                    return index
        return None

    def file_host_url(self, scheme: str, host: str, port: int) -> str | None:
        """Return the URL of the host of files for an origin at which the repository is served.

        Return None for other origins. The host has files only if the repository's files are on
        another host than the index.
        """
        index = self.index_at(scheme, host, port)
        if index is not None:
            return str(URL(index.files).origin())
        if not self.covers(scheme, host, port):
            return None
        return str(URL.build(scheme=scheme, host=_file_host(host), port=port))

    def is_file_host(self, scheme: str, host: str, port: int) -> bool:
        """Return whether the files of the repository may be at this origin."""
        url = str(URL.build(scheme=scheme, host=host, port=port))
        origins = {(prefix.scheme, prefix.host, prefix.port) for prefix in self.prefixes}
        return any(self.file_host_url(*origin) == url for origin in origins)

    def relative_path(self, scheme: str, host: str, port: int, path: str) -> str | None:
        """Return the path below the repository's URL that a URL means, or None for other URLs.

        Of several prefixes that match, the longest one counts.
        """
        for prefix in sorted(self.prefixes, key=lambda prefix: -len(prefix.path)):
            if (scheme, host, port) == (prefix.scheme, prefix.host, prefix.port):
                relative = prefix.relative_path(path)
                if relative is not None:
                    return relative
        return None

    def is_public_index(self, scheme: str, host: str, port: int) -> bool:
        """Return whether a host has the URL of an index other than CloudRepo's repositories."""
        return any(
            (scheme, host, port) == (prefix.scheme, prefix.host, prefix.port)
            and not prefix.is_cloudrepo
            for prefix in self.prefixes
        )


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


def _file_host(host: str) -> str:
    """Return the name of the host of files, for an index at a host."""
    is_address = ":" in host or host.replace(".", "").isdecimal()
    return "files.test" if is_address else f"files.{host}"


def parse_url_prefix(url: str) -> UrlPrefix:
    """Return the parts of a URL that is impersonated.

    Raises:
        InvalidError: it is not an http or https URL.
    """
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
        host = _encode_host(parts.hostname or "")
    except ValueError:
        port, host = None, ""
    valid = url.isprintable() and " " not in url and len(url) <= MAX_UPSTREAM_URL
    if not port or not host or not valid:
        raise InvalidError(f"{url[:_MAX_SHOWN]!r} is not an http or https URL.")
    return UrlPrefix(parts.scheme, host, port, parts.path.rstrip("/"))


def check_host(host: str) -> str:
    """Return a host as requests contain it.

    Raises:
        InvalidError: it is not a host name or an IP address.
    """
    try:
        return _encode_host(host)
    except ValueError as error:
        raise InvalidError(
            f"{host[:_MAX_SHOWN]!r} is not a host name or an IP address: "
            "give it without a scheme and a port."
        ) from error


def _encode_host(host: str) -> str:
    """Return a host as requests contain it: in lower case, and encoded as IDNA requires.

    Raises:
        ValueError: the host cannot be looked up.
    """
    encoded = URL.build(scheme="http", host=host).raw_host
    if not encoded:
        raise ValueError("a host is empty")
    # A lookup of the host begins with this encoding, and fails if the encoding fails.
    encoded.encode("idna")
    return encoded
