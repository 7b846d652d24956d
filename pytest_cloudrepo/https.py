"""The index server over HTTPS: URLs, the CA certificate, and a certificate for clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_cloudrepo._own_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_cloudrepo._api import Api, Json


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate with which a client identifies itself (mutual TLS)."""

    path: Path
    """A PEM file with the key and the certificate, as pip, uv, twine and Poetry expect it."""
    certificate: Path
    """A PEM file with the certificate only."""
    key: Path
    """A PEM file with the key only."""


class Https:
    """The certificates of a server, as files in a folder."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._ca: Path | None = None
        self._client_certificate: ClientCertificate | None = None

    @property
    def ca(self) -> Path:
        """The CA certificate, in a file."""
        __tracebackhide__ = True
        if self._ca is None:
            pem = open_https(self._api)["ca"]
            self._folder.mkdir(parents=True, exist_ok=True)
            self._ca = write_private(self._folder / "ca.pem", pem)
        return self._ca

    @property
    def client_certificate(self) -> ClientCertificate:
        """The certificate for clients, in files."""
        __tracebackhide__ = True
        if self._client_certificate is None:
            opened = open_https(self._api, client_certificates=True)
            certificate, key = opened["certificate"], opened["key"]
            self._folder.mkdir(parents=True, exist_ok=True)
            self._client_certificate = ClientCertificate(
                write_private(self._folder / "client.pem", key + certificate),
                write_private(self._folder / "client-certificate.pem", certificate),
                write_private(self._folder / "client-key.pem", key),
            )
        return self._client_certificate


def open_https(api: Api, *, client_certificates: bool = False) -> Json:
    """Let the server listen for HTTPS, and return the URL and the certificates.

    Raises:
        ServerError: the extra `tls` is not installed where the server runs.
    """
    __tracebackhide__ = True
    return api.call("POST", "https", json={"client_certificates": client_certificates})


def https_url(api: Api, url: str, *, client_certificates: bool = False) -> str:
    """Return the HTTPS URL of a repository, given its URL over HTTP."""
    __tracebackhide__ = True
    base = str(open_https(api, client_certificates=client_certificates)["url"])
    return base.rstrip("/") + urlsplit(url).path
