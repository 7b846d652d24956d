"""A throwaway certificate authority, for HTTPS on loopback and for impersonated hosts."""

import ssl
from importlib.util import find_spec

from cloudrepo_server.errors import InvalidError

_MAX_SHOWN = 100
_CLIENT = "client@example.com"
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")


class CertificateAuthority:
    """A certificate authority that exists as long as the server.

    Raises:
        InvalidError: the extra `tls` is not installed.
    """

    def __init__(self) -> None:
        try:
            # Imported here because it belongs to an extra, and most servers need no TLS.
            import trustme
        except ImportError:
            raise InvalidError("HTTPS requires trustme: install pytest-cloudrepo[tls].") from None
        self._authority = trustme.CA()

    @staticmethod
    def is_installed() -> bool:
        """Return whether the extra `tls` is installed."""
        return find_spec("trustme") is not None

    @property
    def pem(self) -> str:
        """The CA certificate, which clients must trust."""
        return self._authority.cert_pem.bytes().decode()

    def client_certificate(self) -> tuple[str, str]:
        """Return a new certificate for a client, with the key of the certificate, both as PEM."""
        issued = self._authority.issue_cert(_CLIENT, common_name=_CLIENT)
        chain = "".join(each.bytes().decode() for each in issued.cert_chain_pems)
        return chain, issued.private_key_pem.bytes().decode()

    def require_client_certificate(self, context: ssl.SSLContext) -> None:
        """Let a server's TLS context accept only clients with a certificate of this authority."""
        context.verify_mode = ssl.CERT_REQUIRED
        self._authority.configure_trust(context)

    def context(self, *hosts: str) -> ssl.SSLContext:
        """Return a server's TLS context with a new certificate for these hosts.

        Raises:
            InvalidError: a host cannot be in a certificate, such as `my_index`.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.issue(context, *hosts)
        return context

    def issue(self, context: ssl.SSLContext, *hosts: str) -> None:
        """Replace the certificate of a server's TLS context with a new one for these hosts.

        Raises:
            InvalidError: a host cannot be in a certificate, such as `my_index`.
        """
        try:
            self._authority.issue_cert(*hosts).configure_cert(context)
        except ValueError as error:  # also the errors of idna, which encodes host names
            names = ", ".join(host[:_MAX_SHOWN] for host in hosts)
            raise InvalidError(
                f"No certificate can be issued for {names}: "
                "use a host name of letters, digits and hyphens."
            ) from error
