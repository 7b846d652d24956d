"""The certificate of an attestation, which Sigstore issues for the identity of one job.

Neither the chain of certificates nor the transparency log is verified: both need keys that Sigstore
publishes on the internet.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cloudrepo_server.specs.provenance import Publisher

if TYPE_CHECKING:
    from cryptography import x509

# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
_ISSUER: Final = ("OIDCIssuerV2", "1.3.6.1.4.1.57264.1.8")
_SOURCE_REPOSITORY: Final = ("OIDCSourceRepositoryURI", "1.3.6.1.4.1.57264.1.12")
_SOURCE_DIGEST: Final = "1.3.6.1.4.1.57264.1.13"
_SOURCE_REF: Final = "1.3.6.1.4.1.57264.1.14"
_BUILD_CONFIG: Final = ("OIDCBuildConfigURI", "1.3.6.1.4.1.57264.1.18")
# https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
_PAYLOAD_TYPE: Final = b"application/vnd.in-toto+json"

ATTESTING_KINDS: Final = ("GitHub", "GitLab", "Google")
"""The kinds of publishers from which PyPI accepts attestations."""


class CertificateError(Exception):
    """A certificate cannot be read."""


class Certificate:
    """The certificate of an attestation."""

    def __init__(self, encoded: bytes) -> None:
        """Read a certificate.

        Args:
            encoded: the certificate in DER.

        Raises:
            CertificateError: the certificate is not valid.
        """
        from cryptography import x509
        from cryptography.exceptions import UnsupportedAlgorithm

        try:
            certificate = x509.load_der_x509_certificate(encoded)
            self._key = certificate.public_key()
            self._extensions = certificate.extensions
        except (
            ValueError,
            UnsupportedAlgorithm,
            x509.DuplicateExtension,
            x509.InvalidVersion,
            x509.UnsupportedGeneralNameType,
        ) as error:
            raise CertificateError("invalid X.509 certificate") from error

    def publisher_error(self, publisher: Publisher) -> str | None:
        """Return why the certificate does not belong to a trusted publisher, or None if it does."""
        return next(self._differences(publisher), None)

    def signature_error(self, statement: bytes, signature: bytes) -> str | None:
        """Return why the signature of a statement is not valid, or None if it is valid."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        if not isinstance(self._key, ec.EllipticCurvePublicKey):
            return "the key of the certificate is not an elliptic curve key"
        signed = b"DSSEv1 %d %b %d %b" % (
            *(len(_PAYLOAD_TYPE), _PAYLOAD_TYPE),
            *(len(statement), statement),
        )
        try:
            self._key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return "DSSE: invalid signature"
        return None

    def _differences(self, publisher: Publisher) -> Iterator[str]:
        if publisher["kind"] == "Google":
            yield from self._compare(_ISSUER, "https://accounts.google.com")
            addresses = self._addresses()
            if publisher["email"] not in addresses:
                yield (
                    f"Certificate's SANs do not match {publisher['email']}; "
                    f"actual SANs: {addresses}"
                )
            return
        if publisher["kind"] == "GitHub":
            issuer, host = "https://token.actions.githubusercontent.com", "https://github.com"
            workflow = publisher["workflow"]
            config = f"{host}/{publisher['repository']}/.github/workflows/{workflow}"
        else:
            issuer = host = "https://gitlab.com"
            workflow = publisher["workflow_filepath"]
            config = f"{host}/{publisher['repository']}//{workflow}"
        yield from self._compare(_ISSUER, issuer)
        yield from self._compare(_SOURCE_REPOSITORY, f"{host}/{publisher['repository']}")
        # The publisher names no revision, so the revision in the certificate is accepted.
        revisions = [text for oid in (_SOURCE_DIGEST, _SOURCE_REF) if (text := self._text(oid))]
        if not revisions:
            yield (
                "Certificate must contain either Source Repository Digest or Source Repository Ref"
            )
        name, oid = _BUILD_CONFIG
        found = self._text(oid)
        if found is None:
            yield f"Certificate does not contain {name} ({oid}) extension"
        elif found not in [f"{config}@{revision}" for revision in revisions]:
            yield (
                f"Certificate's Build Config URI ({found}) does not match expected Trusted "
                f"Publisher ({workflow} @ {publisher['repository']})"
            )

    def _compare(self, extension: tuple[str, str], expected: str) -> Iterator[str]:
        name, oid = extension
        found = self._text(oid)
        if found is None:
            yield f"Certificate does not contain {name} ({oid}) extension"
        elif found != expected:
            yield f"Certificate's {name} does not match (got {found}, expected {expected})"

    def _text(self, oid: str) -> str | None:
        extension = self._extension(oid)
        if extension is None:
            return None
        from cryptography.hazmat import asn1

        try:
            return asn1.decode_der(str, extension.value.public_bytes())
        except ValueError:
            return None

    def _addresses(self) -> list[str]:
        from cryptography import x509

        extension = self._extension(x509.SubjectAlternativeName.oid.dotted_string)
        if extension is None or not isinstance(extension.value, x509.SubjectAlternativeName):
            return []
        return extension.value.get_values_for_type(x509.RFC822Name)

    def _extension(self, oid: str) -> "x509.Extension[x509.ExtensionType] | None":
        return next((each for each in self._extensions if each.oid.dotted_string == oid), None)
