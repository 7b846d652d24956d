"""The network guard: blocks connections of subprocesses to every host but the index server.

It works through environment variables, which tell a program to send its requests to the server's
proxy. The proxy serves the repository, lets allowed hosts through, and rejects every other host.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cloudrepo_server.clients import (
    LOOPBACK,
    PUBLIC_INDEXES,
    ca_bundle_variables,
    proxy_variables,
    public_index,
)
from pytest_cloudrepo._programs.secret import Secret, issue
from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cloudrepo_server.clients import CiJob

# The port of the discard protocol (RFC 863), on which no server listens: connecting fails at once.
_UNREACHABLE_PROXY = "http://127.0.0.1:9"
_CONNECT_TIMEOUT = 5.0


class NoProxyError(ServerError):
    """The proxy cannot be used: the server shares its storage, or the proxy is unreachable."""


class NetworkGuard:
    """The environment variables that limit which hosts a repository's subprocesses can reach."""

    def __init__(self, call: Callable[..., Any], repository_url: str, folder: Path) -> None:
        """Prepare the guard, without sending a request to the server.

        Args:
            call: sends a request to the repository's part of the admin API.
            repository_url: the repository's URL, which programs reach without the proxy.
            folder: the folder for CA bundles.
        """
        self._call = call
        self._repository_url = repository_url
        self._folder = folder
        self._allowed_hosts: tuple[str, ...] = ()
        self._variables: dict[str, str] | None = None

    def allow(self, *hosts: str) -> None:
        """Allow these hosts too, for programs that are started from now on."""
        self._allowed_hosts = (*self._allowed_hosts, *hosts)
        self._variables = None

    def variables(self) -> dict[str, str]:
        """Return the variables that block every host but the repository's and the allowed ones.

        If the server's proxy cannot be used, connections to other hosts fail, but the repository's
        journal does not list them.
        """
        __tracebackhide__ = True
        if self._variables is None:
            try:
                self._variables = self.impersonate()
            except NoProxyError:
                direct = [*self._direct_hosts(), *self._allowed_hosts]
                self._variables = proxy_variables(_UNREACHABLE_PROXY, direct=direct)
        return self._variables

    def _direct_hosts(self) -> list[str]:
        """Return the hosts that programs reach without the proxy."""
        return [*LOOPBACK.split(","), urlsplit(self._repository_url).hostname or ""]

    def impersonate(
        self,
        *urls: str,
        requires_login: bool = False,
        proxy_login: tuple[str, str] | None = None,
        job: CiJob | None = None,
    ) -> dict[str, str]:
        """Return variables that also send requests for these URLs to the repository.

        Args:
            urls: URLs, and names of public indexes, of which all URLs are impersonated.
            requires_login: whether reads need a login at every URL.
            proxy_login: the user name and password of a separate proxy.
            job: the CI job in which the programs run. The URLs of its provider are impersonated
                too, except on allowed hosts.

        Raises:
            NoProxyError: the server's proxy cannot be used.
            ServerError: a URL is invalid, an https URL is given to a server without TLS, or a
                loopback URL to a server on another machine.
        """
        __tracebackhide__ = True
        indexes = [public_index(url) for url in urls if url in PUBLIC_INDEXES]
        urls = tuple(url for url in urls if url not in PUBLIC_INDEXES)
        direct, through_proxy = _split_direct_hosts(self._direct_hosts(), urls)
        body: dict[str, Any] = {"urls": [*urls], "allow": [*self._allowed_hosts, *through_proxy]}
        if requires_login:
            body["requires_login"] = True
        if proxy_login is not None:
            username, password = proxy_login
            body["proxy_login"] = {"username": username, "password": issue(password, username)}
        if job is not None:
            body["job"] = job.request_token
            body["urls"] += [url for url in job.urls if _hostname(url) not in self._allowed_hosts]
        if indexes:
            body["indexes"] = [*map(asdict, indexes)]
        try:
            created = self._call("POST", "impersonations", json=body)
        except ServerError as error:
            if error.status == HTTPStatus.CONFLICT:
                raise NoProxyError(str(error), status=error.status) from None
            raise
        proxy = Secret(created["proxy"])
        login = urlsplit(proxy)
        issue(unquote(login.password or ""), unquote(login.username or ""))
        _require_same_machine(login.hostname or "", through_proxy)
        _require_reachable(proxy)
        variables = proxy_variables(proxy, direct=direct)
        if created["ca"] is None:
            return variables
        bundle = self._folder / f"{created['id']}.pem"
        bundle.parent.mkdir(parents=True, exist_ok=True)
        needs_others = self._allowed_hosts or self._repository_url.startswith("https:")
        bundle.write_text(
            f"{created['ca']}\n{_trusted_authorities() if needs_others else ''}", encoding="utf-8"
        )
        return variables | ca_bundle_variables(str(bundle))


def user_ca_bundle() -> str | None:
    """Return the CA bundle, a file or folder, that the user configured for requests, if any."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


def _split_direct_hosts(hosts: Sequence[str], urls: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the hosts that stay direct, and those that programs must reach through the proxy.

    A name in NO_PROXY also means the hosts whose names end with it. So a program would bypass the
    proxy for an impersonated URL of such a host.
    """
    impersonated = [_hostname(url) for url in urls]
    through_proxy = [
        host for host in hosts if host and any(each.endswith(host) for each in impersonated)
    ]
    return [host for host in hosts if host not in through_proxy], through_proxy


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # the server rejects the URL, with a reason
        return ""


def _require_same_machine(proxy_host: str, hosts: Sequence[str]) -> None:
    __tracebackhide__ = True
    loopback = LOOPBACK.split(",")
    if proxy_host not in loopback and not set(hosts).isdisjoint(loopback):
        raise ServerError(
            f"{', '.join(hosts)} cannot be impersonated: the index server is on another machine, "
            "and its proxy cannot reach the programs of this machine; impersonate another host name"
        )


def _require_reachable(proxy: str) -> None:
    # A server in a container may publish its own port only, and not that of its proxy.
    __tracebackhide__ = True
    parts = urlsplit(proxy)
    host, port = parts.hostname or "", parts.port or 0
    try:
        socket.create_connection((host, port), _CONNECT_TIMEOUT).close()
    except OSError as error:
        raise NoProxyError(
            f"cannot connect to the index server's proxy at {host}, port {port}: "
            f"{error.strerror or error}"
        ) from None


def _trusted_authorities() -> str:
    """Return the user's CA bundle for requests, or else the default one of requests."""
    from pathlib import Path  # only if other hosts are allowed, or the server has an https URL

    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    path = Path(user_ca_bundle() or DEFAULT_CA_BUNDLE_PATH)
    return path.read_text(encoding="utf-8") if path.is_file() else ""
