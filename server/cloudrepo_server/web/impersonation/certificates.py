"""A throwaway certificate authority, for the same server over https and by other names."""

import ssl
from importlib.util import find_spec
from pathlib import Path

from cloudrepo_server.errors import InvalidError

HOSTS = ("127.0.0.1", "::1", "localhost")


class Authority:
    """Certificates for any host, signed by an authority that lives as long as the server.

    Raises:
        InvalidError: the extra `tls` is not installed.
    """

    def __init__(self) -> None:
        try:
            # An optional extra: most runs need no TLS.
            import trustme
        except ImportError:
            raise InvalidError("TLS needs trustme: install pytest-cloudrepo[tls].") from None
        self._authority = trustme.CA()

    @staticmethod
    def is_installed() -> bool:
        """Whether the extra `tls` is there."""
        return find_spec("trustme") is not None

    @property
    def pem(self) -> str:
        """What clients must trust."""
        return self._authority.cert_pem.bytes().decode()

    def write(self, path: Path) -> None:
        """Write what clients must trust."""
        path.write_text(self.pem)

    def context(self, *hosts: str) -> ssl.SSLContext:
        """What a listener needs to be these hosts."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(*hosts).configure_cert(context)
        return context
