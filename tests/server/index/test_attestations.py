"""Attestations of uploads: which ones PyPI's rules accept, and the provenance of the files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import CertificateBuilder, Name, load_der_x509_certificate

from tests.support.archives import Archive, wheel
from tests.support.attestations import (
    GITHUB,
    GITLAB,
    GOOGLE,
    SLSA,
    attestation,
    attested,
    certificate,
    statement,
)
from tests.support.forms import fields
from tests.support.index import Index, Server
from tests.support.trust import JOB, JOBS, identity_token, minted, trust

Make = Callable[[Archive], Any]
FILE = wheel()
FAILED = (
    "Could not verify the uploaded artifact using the included attestation: Verification failed: "
)


@pytest.fixture
def pypi(server: Server) -> Index:
    """A repository that applies PyPI's rules, with a publisher on GitHub."""
    index = server.repository(dialect="pypi")
    trust(index)
    return index


def upload(index: Index, attestations: str, token: str | None = None) -> tuple[int, str, str]:
    """Upload a file; return the status, the rule that it breaks, and PyPI's message."""
    login = ("__token__", token or minted(index))
    response = index.post(fields(FILE, attestations=attestations), auth=login)
    body = response.json() if response.status_code == 400 else {}
    message = body.get("error", "").removeprefix("Invalid attestations supplied during upload: ")
    return response.status_code, body.get("rule", ""), message


def provenance(index: Index) -> Any:  # noqa: ANN401 (JSON)
    response = index.get(f"/integrity/demo/1.0/{FILE.filename}/provenance")
    assert response.status_code == 200, response.text
    return response.json()


def one(make: Make) -> Make:
    return lambda archive: [make(archive)]


def signed(**changes: object) -> Make:
    """Return attestations whose statement has these changes."""
    return lambda archive: [attestation(statement(archive, **changes))]


def claimed(**changes: str | None) -> Make:
    """Return attestations whose certificate has these changes."""
    return lambda archive: [attestation(statement(archive), {**GITHUB, **changes})]


def rsa_certificate() -> bytes:
    """Return a certificate with the claims of the job, but the key of another algorithm."""
    original = load_der_x509_certificate(certificate(GITHUB))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    builder = CertificateBuilder(extensions=list(original.extensions))
    builder = builder.subject_name(Name([])).issuer_name(Name([])).serial_number(1)
    builder = builder.not_valid_before(original.not_valid_before_utc)
    builder = builder.not_valid_after(original.not_valid_after_utc).public_key(key.public_key())
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


# Accepted attestations


def test_the_provenance_of_a_file_names_its_publisher(pypi: Index) -> None:
    attestations = attested(FILE)
    assert upload(pypi, attestations)[0] == 200
    assert provenance(pypi) == {
        "version": 1,
        "attestation_bundles": [
            {
                "publisher": {
                    "kind": "GitHub",
                    "repository": "acme/demo",
                    "workflow": "release.yml",
                    "environment": None,
                },
                "attestations": json.loads(attestations),
            }
        ],
    }


def test_a_job_on_gitlab_may_attest(pypi: Index) -> None:
    trust(pypi, "gitlab", fields={**JOBS["gitlab"], "environment": "pypi"})
    claims = {**JOBS["gitlab"], "environment": "pypi"}
    token = minted(pypi, identity_token(pypi, "gitlab", claims=claims))
    assert upload(pypi, attested(FILE, GITLAB), token)[0] == 200
    assert provenance(pypi)["attestation_bundles"][0]["publisher"] == {
        "kind": "GitLab",
        "repository": "acme/tools/demo",
        "workflow_filepath": ".gitlab-ci.yml",
        "environment": "pypi",
    }
    assert upload(pypi, attested(FILE), token)[0] == 200, "an identical file is not checked again"


def test_a_service_account_of_google_may_attest(pypi: Index) -> None:
    trust(pypi, "google", fields=JOBS["google"])
    email = JOBS["google"]["email"]
    token = minted(pypi, identity_token(pypi, "google", claims=JOBS["google"]))
    stated = statement(FILE)
    other = attestation(stated, GOOGLE, email="other@acme.example")
    status, rule, message = upload(pypi, json.dumps([other]), token)
    assert (status, rule) == (400, "attestation-signer")
    assert (
        message
        == f"{FAILED}Certificate's SANs do not match {email}; actual SANs: ['other@acme.example']"
    )
    assert upload(pypi, json.dumps([attestation(stated, GOOGLE)]), token)[0] == 400
    assert upload(pypi, json.dumps([attestation(stated, GOOGLE, email=email)]), token)[0] == 200
    publisher = provenance(pypi)["attestation_bundles"][0]["publisher"]
    assert publisher == {"kind": "Google", "email": email}


@pytest.mark.parametrize(
    "make",
    [
        claimed(config=f"{GITHUB['config'].partition('@')[0]}@{'0' * 40}"),
        claimed(sha=None),
        lambda archive: [
            attestation(statement(archive)),
            attestation(statement(archive, predicateType=SLSA)),
        ],
        signed(
            subject=[{"name": "Demo-1.0.0-py3-none-any.whl", "digest": {"sha256": FILE.sha256}}]
        ),
    ],
    ids=["the revision is a commit", "only a ref", "publication and SLSA", "another spelling"],
)
def test_valid_attestations_are_accepted(pypi: Index, make: Make) -> None:
    assert upload(pypi, json.dumps(make(FILE))) == (200, "", "")


def test_base64_with_line_breaks_is_accepted(pypi: Index) -> None:
    made = attestation(statement(FILE))
    material = made["verification_material"]
    der = base64.b64decode(material["certificate"])
    material["certificate"] = base64.encodebytes(der).decode()
    assert upload(pypi, json.dumps([made])) == (200, "", "")


# Rejected attestations


@pytest.mark.parametrize(
    ("make", "rule", "message"),
    [
        (lambda _: {}, "attestations", "Malformed attestations: Expected `array`"),
        (lambda _: [], "attestations", "Malformed attestations: an empty attestation set is not"),
        (
            one(lambda archive: {**attestation(statement(archive)), "version": 2}),
            *("attestations", "Malformed attestations: Invalid enum value 2"),
        ),
        (
            one(
                lambda archive: {
                    **attestation(statement(archive)),
                    "envelope": {"statement": "é", "signature": ""},
                }
            ),
            *("attestations", "Malformed attestations: string argument should contain only ASCII"),
        ),
        (
            one(
                lambda archive: {
                    **attestation(statement(archive)),
                    "verification_material": {"certificate": "", "transparency_entries": []},
                }
            ),
            *("attestations", "Malformed attestations: Expected `array` of length >= 1"),
        ),
        (
            lambda archive: [attestation(statement(archive))] * 3,
            *("attestations", "A maximum of 2 attestations per file are supported"),
        ),
        (
            lambda archive: [attestation(statement(archive))] * 2,
            *("attestations", "Multiple attestations for the same file with the same predicate"),
        ),
        (
            signed(predicateType="https://example.com/v1"),
            *("attestations", f"{FAILED}unknown attestation type: https://example.com/v1"),
        ),
        (
            one(lambda archive: attestation(statement(archive), encoded_certificate=b"\x30\x00")),
            *(
                "attestations",
                "Unknown error while trying to verify included attestations: invalid",
            ),
        ),
        (
            one(
                lambda archive: attestation(
                    statement(archive), encoded_certificate=rsa_certificate()
                )
            ),
            *("attestation-signer", f"{FAILED}the key of the certificate is not an elliptic curve"),
        ),
        (
            claimed(issuer=GITLAB["issuer"]),
            *("attestation-signer", f"{FAILED}Certificate's OIDCIssuerV2 does not match"),
        ),
        (
            claimed(issuer=None),
            *("attestation-signer", f"{FAILED}Certificate does not contain OIDCIssuerV2"),
        ),
        (
            claimed(source="https://github.com/acme/other"),
            *("attestation-signer", f"{FAILED}Certificate's OIDCSourceRepositoryURI does not"),
        ),
        (
            claimed(config=GITHUB["config"].replace("release", "other")),
            *("attestation-signer", f"{FAILED}Certificate's Build Config URI (https://github.com"),
        ),
        (
            claimed(config=GITHUB["config"].replace("main", "other")),
            *("attestation-signer", f"{FAILED}Certificate's Build Config URI (https://github.com"),
        ),
        (
            claimed(config=None),
            *("attestation-signer", f"{FAILED}Certificate does not contain OIDCBuildConfigURI"),
        ),
        (
            claimed(sha=None, ref=None),
            *("attestation-signer", f"{FAILED}Certificate must contain either Source Repository"),
        ),
        (
            one(lambda archive: attestation(statement(archive), signature=b"\x30\x00")),
            *("attestation-signer", f"{FAILED}DSSE: invalid signature"),
        ),
        (
            one(lambda _: attestation("no statement")),
            *("attestation-subject", f"{FAILED}invalid statement: "),
        ),
        (
            signed(_type="https://example.com"),
            *("attestation-subject", f"{FAILED}invalid statement: "),
        ),
        (
            signed(subject=statement(FILE)["subject"] * 2),
            *("attestation-subject", f"{FAILED}too many subjects in statement"),
        ),
        (
            signed(subject=[{"name": "x.exe", "digest": {}}]),
            *("attestation-subject", f"{FAILED}invalid subject: "),
        ),
        (
            one(lambda _: attestation(statement(wheel(version="2.0")))),
            *("attestation-subject", f"{FAILED}subject does not match distribution name: demo-2.0"),
        ),
        (
            signed(subject=[{"name": FILE.filename, "digest": {"sha256": "0" * 64}}]),
            *("attestation-subject", f"{FAILED}subject does not match distribution digest"),
        ),
    ],
)
def test_invalid_attestations_are_rejected_as_on_pypi(
    pypi: Index, make: Make, rule: str, message: str
) -> None:
    status, broken, told = upload(pypi, json.dumps(make(FILE)))
    assert (status, broken) == (400, rule)
    assert told.startswith(message)
    assert pypi.get("/demo/").status_code == 404


def test_a_user_may_not_send_attestations(pypi: Index) -> None:
    response = pypi.upload(FILE, attestations=attested(FILE))
    assert (response.status_code, response.json()["rule"]) == (400, "attestation-login")
    assert response.reason == (
        "Invalid attestations supplied during upload: Attestations are only supported when using "
        "Trusted Publishing"
    )


def test_not_every_provider_may_attest(pypi: Index) -> None:
    trust(pypi, "circleci", fields=JOBS["circleci"])
    token = minted(pypi, identity_token(pypi, "circleci", claims=JOBS["circleci"]))
    status, rule, message = upload(pypi, attested(FILE), token)
    assert (status, rule) == (400, "attestation-login")
    assert message == "Attestations are not currently supported with CircleCI publishers"


def test_without_the_rules_provenance_names_no_verified_publisher(server: Server) -> None:
    index = server.repository(dialect="pypi", rules="none")
    trust(index, fields=JOB)
    other = attested(FILE, {**GITHUB, "source": "https://github.com/acme/other"})
    assert upload(index, other)[0] == 200
    publisher = provenance(index)["attestation_bundles"][0]["publisher"]
    assert publisher == {"kind": "unverified", "claims": None}
