"""Listeners for HTTPS that are opened on demand, with certificates of the throwaway CA."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import msgspec
from yarl import URL

from cloudrepo_server.errors import ConflictError, InvalidError
from cloudrepo_server.limits import MAX_HTTPS_HOSTS
from cloudrepo_server.pools import IMPORTS
from cloudrepo_server.web.impersonation.certificates import LOOPBACK_HOSTS, CertificateAuthority
from cloudrepo_server.web.impersonation.proxy import Proxy

Listen = Callable[[ssl.SSLContext], Awaitable[str]]
"""Listens on a free port with a TLS context, and returns the URL."""


class HttpsListener(msgspec.Struct, frozen=True):
    """A listener for HTTPS, and what its clients need.

    Attributes:
        url: the URL of the server over HTTPS.
        ca: the CA certificate that clients must trust.
        certificate: the certificate that clients must have, or None if they need none.
        key: the key of that certificate, or None.
    """

    url: str
    ca: str
    certificate: str | None = None
    key: str | None = None


class _OpenListener(msgspec.Struct):
    """A listener, and the hosts in its certificate."""

    listener: HttpsListener
    context: ssl.SSLContext
    hosts: tuple[str, ...]


class HttpsListeners:
    """At most one listener for clients without certificates, and one for clients with them."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._listen: Listen | None = None
        self._host = ""
        self._opening = asyncio.Lock()
        self._open: dict[bool, _OpenListener] = {}

    def attach(self, host: str, listen: Listen) -> None:
        """Set how listeners are opened; the server already listens on `host` for HTTP."""
        self._host, self._listen = host, listen

    async def open(self, host: str, *, client_certificates: bool) -> HttpsListener:
        """Return the listener, which the first call opens. Its certificate is valid for `host`.

        Args:
            host: the name by which clients reach the server.
            client_certificates: whether clients need a certificate.

        Raises:
            InvalidError: the extra `tls` is not installed, or the host cannot have a certificate.
            ConflictError: the certificate has too many hosts already.
            ListenError: there is no free port.
        """
        host = host.lower()
        async with self._opening:
            authority = await self._proxy.authority()
            opened = self._open.get(client_certificates)
            if opened is None:
                opened = await self._listen_for(
                    authority, host, client_certificates=client_certificates
                )
                self._open[client_certificates] = opened
            elif host not in opened.hosts:
                if len(opened.hosts) >= MAX_HTTPS_HOSTS:
                    raise ConflictError(
                        f"The HTTPS certificate has {MAX_HTTPS_HOSTS} hosts, which is the limit: "
                        "restart the server, or use a host name that the certificate has."
                    )
                hosts = (*opened.hosts, host)
                await IMPORTS.run(authority.issue, opened.context, *hosts)
                opened.hosts = hosts
        url = str(URL(opened.listener.url).with_host(host))
        return msgspec.structs.replace(opened.listener, url=url)

    async def _listen_for(
        self, authority: CertificateAuthority, host: str, *, client_certificates: bool
    ) -> _OpenListener:
        if self._listen is None:
            raise InvalidError("This server has no listener for HTTPS.")
        hosts = tuple(dict.fromkeys((host, self._host, *LOOPBACK_HOSTS)))
        # In a thread because the creation of keys is slow.
        context, certificate, key = await IMPORTS.run(
            _create, authority, hosts, client_certificates=client_certificates
        )
        url = await self._listen(context)
        return _OpenListener(HttpsListener(url, authority.pem, certificate, key), context, hosts)


def _create(
    authority: CertificateAuthority, hosts: tuple[str, ...], *, client_certificates: bool
) -> tuple[ssl.SSLContext, str | None, str | None]:
    context = authority.context(*hosts)
    if not client_certificates:
        return context, None, None
    authority.require_client_certificate(context)
    return context, *authority.client_certificate()
