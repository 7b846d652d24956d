"""Attestations of an upload, and the provenance object made of them (PEP 740)."""

import msgspec

# https://packaging.python.org/specifications/index-hosted-attestations/
PROVENANCE_SUFFIX = ".provenance"
PROVENANCE_TYPE = "application/vnd.pypi.integrity.v1+json"


def read_attestations(text: str | None) -> str | None:
    """Return the attestations of an upload form, or None if they are not valid.

    Invalid attestations are ignored; they are no reason to reject the file.
    """
    if text is None:
        return None
    try:
        msgspec.json.decode(text, type=list[dict[str, object]])
    except (msgspec.MsgspecError, RecursionError):
        return None
    return text


def provenance_json(attestations: str) -> bytes:
    """Return the provenance object of a file; it states that the publisher was not verified."""
    bundle = {
        "publisher": {"kind": "unverified", "claims": None},
        "attestations": msgspec.Raw(attestations.encode()),
    }
    return msgspec.json.encode({"version": 1, "attestation_bundles": [bundle]})
