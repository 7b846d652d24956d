"""Attestations that came with an upload, and the provenance made of them (PEP 740)."""

import msgspec

# https://packaging.python.org/specifications/index-hosted-attestations/
PROVENANCE_SUFFIX = ".provenance"
PROVENANCE_TYPE = "application/vnd.pypi.integrity.v1+json"


def read_attestations(text: str | None) -> str | None:
    """The form's attestations, where they are what the specification calls attestations.

    Whatever else a client sends in that field is no reason to refuse its file.
    """
    if text is None:
        return None
    try:
        msgspec.json.decode(text, type=list[dict[str, object]])
    except (msgspec.MsgspecError, RecursionError):
        return None
    return text


def provenance_json(attestations: str) -> bytes:
    """The provenance object of a file; who published it is not verified, and it says so."""
    bundle = {
        "publisher": {"kind": "unverified", "claims": None},
        "attestations": msgspec.Raw(attestations.encode()),
    }
    return msgspec.json.encode({"version": 1, "attestation_bundles": [bundle]})
