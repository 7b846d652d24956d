"""Listeners for HTTPS that are opened on demand, with certificates of the throwaway CA."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import msgspec
from yarl import URL

from cloudrepo_server.errors import InvalidError
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


class HttpsListeners:
    """At most one listener for clients without certificates, and one for clients with them."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._listen: Listen | None = None
        self._host = ""
        self._opening = asyncio.Lock()
        self._open: dict[bool, HttpsListener] = {}

    def attach(self, host: str, listen: Listen) -> None:
        """Set how listeners are opened; the server already listens on `host` for HTTP."""
        self._host, self._listen = host, listen

    async def open(self, host: str, *, client_certificates: bool) -> HttpsListener:
        """Return the listener, which the first call opens.

        Args:
            host: the name by which clients reach the server.
            client_certificates: whether clients need a certificate.

        Raises:
            InvalidError: the extra `tls` is not installed, or the host cannot have a certificate.
            ListenError: there is no free port.
        """
        async with self._opening:
            if client_certificates not in self._open:
                authority = await self._proxy.authority()
                if self._listen is None:
                    raise InvalidError("This server has no listener for HTTPS.")
                # In a thread because the creation of keys is slow.
                created = await IMPORTS.run(
                    self._create, authority, host, client_certificates=client_certificates
                )
                context, certificate, key = created
                url = await self._listen(context)
                self._open[client_certificates] = HttpsListener(
                    url, authority.pem, certificate, key
                )
            listener = self._open[client_certificates]
        return msgspec.structs.replace(listener, url=str(URL(listener.url).with_host(host)))

    def _create(
        self, authority: CertificateAuthority, host: str, *, client_certificates: bool
    ) -> tuple[ssl.SSLContext, str | None, str | None]:
        context = authority.context(*dict.fromkeys((host, self._host, *LOOPBACK_HOSTS)))
        if not client_certificates:
            return context, None, None
        authority.require_client_certificate(context)
        return context, *authority.client_certificate()
