"""Attestations of files (PEP 740), signed with a certificate like those of Sigstore."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.archives import Archive

CLAIMS: Final = {
    "issuer": "1.3.6.1.4.1.57264.1.8",
    "source": "1.3.6.1.4.1.57264.1.12",
    "sha": "1.3.6.1.4.1.57264.1.13",
    "ref": "1.3.6.1.4.1.57264.1.14",
    "config": "1.3.6.1.4.1.57264.1.18",
}
"""The extensions of a certificate that have the claims of a job."""
GITHUB: Final = {
    "issuer": "https://token.actions.githubusercontent.com",
    "source": "https://github.com/acme/demo",
    "sha": "0" * 40,
    "ref": "refs/heads/main",
    "config": "https://github.com/acme/demo/.github/workflows/release.yml@refs/heads/main",
}
"""The claims of the job of `tests.support.trust.JOB`."""
GITLAB: Final = {
    "issuer": "https://gitlab.com",
    "source": "https://gitlab.com/acme/tools/demo",
    "sha": "0" * 40,
    "ref": "refs/heads/main",
    "config": f"https://gitlab.com/acme/tools/demo//.gitlab-ci.yml@{'0' * 40}",
}
GOOGLE: Final = {"issuer": "https://accounts.google.com"}
SLSA: Final = "https://slsa.dev/provenance/v1"
SIGNED_TYPE: Final = b"application/vnd.in-toto+json"


def publish_type() -> str:
    """Return the predicate type of PyPI's publish attestations."""
    # The tool has the name of PyPI's host.
    from twine.utils import DEFAULT_REPOSITORY  # noqa: PLC0415 (only these tests need it)

    host = DEFAULT_REPOSITORY.split("/")[2].removeprefix("upload.")
    return f"https://docs.{host}/attestations/publish/v1"


@cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(claims: Mapping[str, str | None], email: str | None = None) -> bytes:
    """Return a certificate with these claims, signed by itself."""
    start = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key().public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(minutes=10))
    )
    for name, value in claims.items():
        if value is not None:
            oid = x509.ObjectIdentifier(CLAIMS[name])
            extension = x509.UnrecognizedExtension(oid, asn1.encode_der(value))
            builder = builder.add_extension(extension, critical=False)
    if email is not None:
        names = x509.SubjectAlternativeName([x509.RFC822Name(email)])
        builder = builder.add_extension(names, critical=True)
    return builder.sign(key(), hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def statement(archive: Archive, **changes: object) -> dict[str, Any]:
    """Return the statement that a file was published."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": archive.filename, "digest": {"sha256": archive.sha256}}],
        "predicateType": publish_type(),
        "predicate": None,
        **changes,
    }


def attestation(
    stated: object,
    claims: Mapping[str, str | None] = GITHUB,
    *,
    email: str | None = None,
    signature: bytes | None = None,
    encoded_certificate: bytes | None = None,
) -> dict[str, Any]:
    """Return an attestation of a statement.

    Args:
        stated: the statement.
        claims: the claims of the job, which are in the certificate.
        email: the address in the certificate.
        signature: a signature to use instead of a valid one.
        encoded_certificate: a certificate to use instead of one with these claims.
    """
    payload = json.dumps(stated).encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(SIGNED_TYPE), SIGNED_TYPE, len(payload), payload)
    signature = signature or key().sign(signed, ec.ECDSA(hashes.SHA256()))
    encoded = encoded_certificate or certificate(claims, email)
    return {
        "version": 1,
        "verification_material": {
            "certificate": base64.b64encode(encoded).decode(),
            "transparency_entries": [{"logIndex": "1"}],
        },
        "envelope": {
            "statement": base64.b64encode(payload).decode(),
            "signature": base64.b64encode(signature).decode(),
        },
    }


def attested(archive: Archive, claims: Mapping[str, str | None] = GITHUB) -> str:
    """Return the attestations of a file, as an upload form has them."""
    return json.dumps([attestation(statement(archive), claims)])
