"""An impersonation: a test's subprocesses reach a repository at the URLs of other hosts."""

import hmac
import secrets
from dataclasses import dataclass, field

import msgspec
from yarl import URL

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_PROXY_LOGIN
from cloudrepo_server.testkit.impersonated_urls import IndexUrls, UrlPrefix


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


def _file_host(host: str) -> str:
    """Return the name of the host of files, for an index at a host."""
    is_address = ":" in host or host.replace(".", "").isdecimal()
    return "files.test" if is_address else f"files.{host}"
