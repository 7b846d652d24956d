"""The way of a test's programs to other hosts: through the server's proxy, or not at all."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_cloudrepo._programs.environment import LOOPBACK
from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# What says whom to trust: to pip, requests (twine, Poetry, flit), OpenSSL (uv), curl, Node, git.
TRUST = (
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)

# What is reserved for what discards everything: nobody listens there.
NOWHERE = "http://127.0.0.1:9"
CONNECT_TIMEOUT = 5.0
CONFLICT = 409


def trusted_file() -> str | None:
    """Return the CA bundle, a file or folder, that the user configured for requests, if any."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


class NoProxyError(ServerError):
    """The server has no proxy, since it shares its store, or none that is reached from here."""


def pass_through(
    call: Callable[..., Any],
    home: str,
    folder: Path,
    *,
    urls: Sequence[str] = (),
    allow: Sequence[str] = (),
) -> dict[str, str]:
    """The variables with which a program reaches these URLs at the repository, and no other host.

    Args:
        call: calls the repository's part of the admin API.
        home: the repository's URL, which programs reach by themselves.
        folder: where the file goes that says whom to trust.
        urls: what the repository stands for.
        allow: hosts that are let through to the real ones.

    Raises:
        NoProxyError: the server has no proxy that programs could use.
        ServerError: a URL is wrong, or https is asked for and the server has no TLS.
    """
    __tracebackhide__ = True
    try:
        made = call("POST", "impersonations", json={"urls": [*urls], "allow": [*allow]})
    except ServerError as error:
        if error.status == CONFLICT:
            raise NoProxyError(str(error), status=error.status) from None
        raise
    proxy = Secret(made["proxy"])
    _require_reached(proxy)
    variables = _by_proxy(proxy, but=[home])
    if made["ca"] is None:
        return variables
    trusted = folder / f"{made['id']}.pem"
    trusted.parent.mkdir(parents=True, exist_ok=True)
    others = _authorities() if allow or home.startswith("https:") else ""
    trusted.write_text(f"{made['ca']}\n{others}", encoding="utf-8")
    return variables | dict.fromkeys(TRUST, str(trusted))


class Way:
    """The way of a repository's programs, and the hosts that it leads to besides."""

    def __init__(self, call: Callable[..., Any], home: str, folder: Path) -> None:
        """Describe it; nothing is asked of the server yet.

        Args:
            call: calls the repository's part of the admin API.
            home: the repository's URL.
            folder: where the file goes that says whom to trust.
        """
        self._asked = (call, home, folder)
        self._home = home
        self._allowed: tuple[str, ...] = ()
        self._guard: dict[str, str] | None = None

    def allow(self, *hosts: str) -> None:
        """Let programs that are started from now on through to these hosts."""
        self._allowed = (*self._allowed, *hosts)
        self._guard = None

    def guard(self) -> dict[str, str]:
        """The variables with which a program reaches the repository, hosts allowed, and no other.

        Without a proxy, what it tries all the same is refused at once, and not noted.
        """
        __tracebackhide__ = True
        if self._guard is None:
            try:
                self._guard = self.to()
            except NoProxyError:
                but = [self._home, *(f"//{host}" for host in self._allowed)]
                self._guard = _by_proxy(NOWHERE, but=but)
        return self._guard

    def to(self, *urls: str) -> dict[str, str]:
        """The variables with which a program that opens one of these URLs is led home."""
        __tracebackhide__ = True
        return pass_through(*self._asked, urls=urls, allow=self._allowed)


def _by_proxy(proxy: str, *, but: Sequence[str]) -> dict[str, str]:
    hosts = ",".join([LOOPBACK, *(urlsplit(url).hostname or "" for url in but)])
    told = dict.fromkeys(PROXIES, proxy) | {"NO_PROXY": hosts}
    return told | {name.lower(): value for name, value in told.items()}


def _require_reached(proxy: str) -> None:
    # A container's own port may be all that is reached of a server.
    __tracebackhide__ = True
    parts = urlsplit(proxy)
    where = parts.hostname or "", parts.port or 0
    try:
        socket.create_connection(where, CONNECT_TIMEOUT).close()
    except OSError as error:
        raise NoProxyError(
            f"the index server's proxy at {where[0]}, port {where[1]}, is not reached from here: "
            f"{error.strerror or error}"
        ) from None


def _authorities() -> str:
    """Whom this machine trusts, as its user told requests; else those that requests knows."""
    from pathlib import Path  # only where another host is reached

    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    path = Path(trusted_file() or DEFAULT_CA_BUNDLE_PATH)
    return path.read_text(encoding="utf-8") if path.is_file() else ""
