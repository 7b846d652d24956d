"""Attestations of an upload, and the provenance object made of them (PEP 740)."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

# https://packaging.python.org/specifications/index-hosted-attestations/
PROVENANCE_SUFFIX = ".provenance"
PROVENANCE_TYPE = "application/vnd.pypi.integrity.v1+json"

Publisher = Mapping[str, str | None]
"""A trusted publisher as a provenance object describes it; `kind` is its provider."""
_UNVERIFIED: Final[Publisher] = {"kind": "unverified", "claims": None}


class _Statement(msgspec.Struct, rename="camel", frozen=True):
    """The part of an in-toto statement that says what it attests."""

    predicate_type: str


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


def provenance_json(attestations: str, publisher: Publisher | None) -> bytes:
    """Return the provenance object of a file.

    Args:
        attestations: the attestations of the file.
        publisher: the publisher that was compared with the attestations, or None if none was
            compared. Without one, the object states that the publisher was not verified.
    """
    bundle = {
        "publisher": _UNVERIFIED if publisher is None else publisher,
        "attestations": msgspec.Raw(attestations.encode()),
    }
    return msgspec.json.encode({"version": 1, "attestation_bundles": [bundle]})


def attestation_types(attestations: str | None) -> tuple[str, ...]:
    """Return the predicate type of each attestation of a file; `unknown` if it cannot be read."""
    if attestations is None:
        return ()
    return tuple(map(_predicate_type, msgspec.json.decode(attestations, type=list[Any])))


def _predicate_type(attestation: Any) -> str:  # noqa: ANN401 (JSON)
    try:
        statement = b64decode(attestation["envelope"]["statement"])
        return msgspec.json.decode(statement, type=_Statement).predicate_type
    except (KeyError, TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        return "unknown"
