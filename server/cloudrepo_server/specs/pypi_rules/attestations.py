"""The rules for the attestations of a file (PEP 740)."""

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

import msgspec
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from cloudrepo_server.specs.provenance import Publisher
from cloudrepo_server.specs.pypi_rules import libraries
from cloudrepo_server.specs.pypi_rules.rule import Finding, Rule, source

_SECTION: Final = "The archive"
_MESSAGE: Final = "Invalid attestations supplied during upload: "
_COULD_NOT_VERIFY: Final = (
    "Could not verify the uploaded artifact using the included attestation: Verification failed: "
)
_UNVERIFIED: Final = _MESSAGE + _COULD_NOT_VERIFY + "{error}"
_MAX_ATTESTATIONS: Final = 2
_MAX_SHOWN: Final = 400
# The first type is a URL of PyPI's documentation.
_PREDICATE_TYPE = re.compile(
    r"https://docs\.[a-z.]*pypi\.[a-z]+/attestations/publish/v1|https://slsa\.dev/provenance/v1"
)

ATTESTATION_LOGIN = Rule(
    name="attestation-login",
    section=_SECTION,
    requires=(
        "Attestations are sent only with a token of trusted publishing, by a publisher of GitHub, "
        "GitLab or Google."
    ),
    message=_MESSAGE + "{error}",
    problem="the attestations are not accepted: {error}",
    advice="upload by trusted publishing, or without attestations",
    source=source("attestations/services.py#L36"),
)
ATTESTATIONS = Rule(
    name="attestations",
    section=_SECTION,
    requires=(
        "The attestations are a list of one or two, with different predicate types: PyPI's "
        "publish attestation, and SLSA provenance."
    ),
    message=_MESSAGE + "{error}",
    problem="the attestations are invalid: {error}",
    advice="attest the file with pypi-attestations or the publishing action",
    source=source("attestations/services.py#L36"),
)
ATTESTATION_SIGNER = Rule(
    name="attestation-signer",
    section=_SECTION,
    requires=(
        "The certificate of each attestation names the trusted publisher, and its key signed the "
        "statement. This server does not verify that Sigstore issued the certificate."
    ),
    message=_UNVERIFIED,
    problem="an attestation is not signed by the publisher: {error}",
    advice="attest the file in the job that publishes it",
    source=source("attestations/services.py#L119"),
)
ATTESTATION_SUBJECT = Rule(
    name="attestation-subject",
    section=_SECTION,
    requires="The statement of each attestation is about this file, with its name and its digest.",
    message=_UNVERIFIED,
    problem="an attestation belongs to another file: {error}",
    advice="attest the file again, after its last change",
    source=source("attestations/services.py#L119"),
)
RULES = (ATTESTATION_LOGIN, ATTESTATIONS, ATTESTATION_SIGNER, ATTESTATION_SUBJECT)


class _Envelope(msgspec.Struct, frozen=True):
    statement: str
    signature: str


class _VerificationMaterial(msgspec.Struct, frozen=True):
    certificate: str
    transparency_entries: Annotated[list[dict[str, object]], msgspec.Meta(min_length=1)]


class _Attestation(msgspec.Struct, frozen=True):
    version: Literal[1]
    verification_material: _VerificationMaterial
    envelope: _Envelope


class _Decoded(msgspec.Struct, frozen=True):
    """The texts of an attestation, decoded from Base64."""

    certificate: bytes
    statement: bytes
    signature: bytes


class _Subject(msgspec.Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _Statement(
    msgspec.Struct, rename={"type": "_type", "predicate_type": "predicateType"}, frozen=True
):
    type: Literal["https://in-toto.io/Statement/v1"]
    subject: Annotated[list[_Subject], msgspec.Meta(min_length=1)]
    predicate_type: str


def check_login(publisher: Publisher | None) -> Iterator[Finding]:
    """Check that the uploader of a file may send attestations.

    Args:
        publisher: the trusted publisher, or None for an upload with other credentials.
    """
    from cloudrepo_server.specs.pypi_rules.certificates import ATTESTING_KINDS

    if publisher is None:
        error = "Attestations are only supported when using Trusted Publishing"
        yield ATTESTATION_LOGIN.broken(error=error)
    elif publisher["kind"] not in ATTESTING_KINDS:
        error = f"Attestations are not currently supported with {publisher['kind']} publishers"
        yield ATTESTATION_LOGIN.broken(error=error)


def check_attestations(
    text: str, *, filename: str, sha256: str, publisher: Publisher | None = None
) -> Iterator[Finding]:
    """Check attestations in PyPI's order. PyPI reports only the first error.

    Args:
        text: the list of attestations, as JSON.
        filename: the name of the file.
        sha256: its digest.
        publisher: the trusted publisher, or None if it is not known.
    """
    try:
        attestations = _decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        yield _broken(ATTESTATIONS, f"Malformed attestations: {error}")
        return
    if not attestations:
        error_text = "Malformed attestations: an empty attestation set is not permitted"
        yield _broken(ATTESTATIONS, error_text)
    if len(attestations) > _MAX_ATTESTATIONS:
        error_text = f"A maximum of {_MAX_ATTESTATIONS} attestations per file are supported"
        yield _broken(ATTESTATIONS, error_text)
        return
    kinds: list[str] = []
    for attestation in attestations:
        yield from _check_signer(attestation, publisher)
        yield from _check_statement(attestation, filename, sha256, kinds)


def _check_signer(attestation: _Decoded, publisher: Publisher | None) -> Iterator[Finding]:
    if not libraries.has("cryptography.hazmat.asn1"):
        return
    from cloudrepo_server.specs.pypi_rules.certificates import Certificate, CertificateError

    try:
        certificate = Certificate(attestation.certificate)
    except CertificateError as error:
        error_text = f"Unknown error while trying to verify included attestations: {error}"
        yield _broken(ATTESTATIONS, error_text)
        return
    if publisher is not None and (different := certificate.publisher_error(publisher)):
        yield _broken(ATTESTATION_SIGNER, different)
    wrong = certificate.signature_error(attestation.statement, attestation.signature)
    if wrong is not None:
        yield _broken(ATTESTATION_SIGNER, wrong)


def _check_statement(
    attestation: _Decoded, filename: str, sha256: str, kinds: list[str]
) -> Iterator[Finding]:
    """Check what an attestation states; `kinds` has the types of those that were checked before."""
    try:
        statement = msgspec.json.decode(attestation.statement, type=_Statement)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        yield _broken(ATTESTATION_SUBJECT, f"invalid statement: {error}")
        return
    error_text = _subject_error(statement.subject, filename, sha256)
    if error_text is not None:
        yield _broken(ATTESTATION_SUBJECT, error_text)
    kind = statement.predicate_type
    if _PREDICATE_TYPE.fullmatch(kind) is None:
        yield _broken(ATTESTATIONS, f"{_COULD_NOT_VERIFY}unknown attestation type: {kind}")
    elif kind in kinds:
        error_text = (
            f"Multiple attestations for the same file with the same predicate type ({kind}) are "
            "not supported"
        )
        yield _broken(ATTESTATIONS, error_text)
    kinds.append(kind)


def _subject_error(subjects: Sequence[_Subject], filename: str, sha256: str) -> str | None:
    if len(subjects) != 1:
        return "too many subjects in statement (must be exactly one)"
    [subject] = subjects
    try:
        is_same = _parsed(subject.name) == _parsed(filename)
    except ValueError as error:
        return f"invalid subject: {error}"
    if not is_same:
        return f"subject does not match distribution name: {subject.name} != {filename}"
    if subject.digest.get("sha256") != sha256:
        return "subject does not match distribution digest"
    return None


def _parsed(filename: str) -> tuple[object, ...]:
    # A file name may be spelled in several ways, so the parsed parts are compared.
    if filename.endswith(".whl"):
        return parse_wheel_filename(filename)
    return parse_sdist_filename(filename)


def _decode(text: str) -> list[_Decoded]:
    attestations = msgspec.json.decode(text, type=list[_Attestation])
    return [
        _Decoded(
            certificate=base64.b64decode(each.verification_material.certificate),
            statement=base64.b64decode(each.envelope.statement),
            signature=base64.b64decode(each.envelope.signature),
        )
        for each in attestations
    ]


def _broken(rule: Rule, error: str) -> Finding:
    return rule.broken(error=error[:_MAX_SHOWN])
