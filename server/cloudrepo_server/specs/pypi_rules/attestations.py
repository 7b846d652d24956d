"""Attestations of a file (PEP 740), without their signatures: only a registry can verify those."""

import base64
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from cloudrepo_server.specs.pypi_rules.archive_rules import ATTESTATIONS
from cloudrepo_server.specs.pypi_rules.rule import Finding

# Without the host names, so that a test registry of PyPI can have its own.
PREDICATE_TYPES: Final = ("/attestations/publish/v1", "/provenance/v1")
_MAX_SHOWN = 200


class _Envelope(msgspec.Struct):
    statement: str
    signature: str


class _VerificationMaterial(msgspec.Struct):
    certificate: str
    transparency_entries: list[dict[str, object]]


class _Attestation(msgspec.Struct):
    version: Literal[1]
    verification_material: _VerificationMaterial
    envelope: _Envelope


class _Subject(msgspec.Struct):
    name: str
    digest: dict[str, str]


class _Statement(msgspec.Struct, rename={"predicate_type": "predicateType"}):
    subject: list[_Subject]
    predicate_type: str


def check_attestations(text: str, *, filename: str, sha256: str) -> Iterator[Finding]:
    """Check that attestations have the structure of PEP 740, and belong to a file.

    Args:
        text: the list of attestations, as JSON.
        filename: the name of the file.
        sha256: its digest.
    """
    error = _error(text, filename, sha256)
    if error is not None:
        yield ATTESTATIONS.broken(error=error[:_MAX_SHOWN])


def _error(text: str, filename: str, sha256: str) -> str | None:
    try:
        attestations = msgspec.json.decode(text, type=list[_Attestation])
        statements = [_statement(each) for each in attestations]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return f"Malformed attestations: {error}"
    if not statements:
        return "Malformed attestations: an empty attestation set is not permitted"
    if len(statements) > len(PREDICATE_TYPES):
        return f"A maximum of {len(PREDICATE_TYPES)} attestations per file are supported"
    kinds = [statement.predicate_type for statement in statements]
    if len(set(kinds)) < len(kinds):
        return (
            "Multiple attestations for the same file with the same predicate type "
            f"({kinds[0]}) are not supported"
        )
    errors = (_statement_error(statement, filename, sha256) for statement in statements)
    return next((error for error in errors if error is not None), None)


def _statement_error(statement: _Statement, filename: str, sha256: str) -> str | None:
    unverified = "Could not verify the uploaded artifact using the included attestation: "
    if [subject.name for subject in statement.subject] != [filename]:
        return unverified + "subject does not match distribution name"
    if statement.subject[0].digest.get("sha256") != sha256:
        return unverified + "subject does not match distribution digest"
    if not statement.predicate_type.endswith(PREDICATE_TYPES):
        return f"Attestation with unsupported predicate type: {statement.predicate_type}"
    return None


def _statement(attestation: _Attestation) -> _Statement:
    encoded = base64.b64decode(attestation.envelope.statement, validate=True)
    return msgspec.json.decode(encoded, type=_Statement)
