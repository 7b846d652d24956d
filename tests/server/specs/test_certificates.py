"""Damaged certificates of attestations cause findings, and never an unexpected error."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudrepo_server.specs.pypi_rules.attestations import check_attestations
from tests.support.archives import wheel
from tests.support.attestations import GITHUB, attestation, certificate, statement
from tests.support.nightly import search_settings

pytestmark = pytest.mark.nightly

FILE = wheel()
EMAIL = "release@acme.example"
CERTIFICATE = certificate(GITHUB, EMAIL)
GITHUB_PUBLISHER = {
    "kind": "GitHub",
    "repository": "acme/demo",
    "workflow": "release.yml",
    "environment": None,
}
PUBLISHERS = (GITHUB_PUBLISHER, {"kind": "Google", "email": EMAIL}, None)
INVALID = "Unknown error while trying to verify included attestations: invalid X.509 certificate"

Splice = tuple[int, int, bytes]
splices = st.lists(
    st.tuples(st.integers(0, len(CERTIFICATE) - 1), st.integers(0, 4), st.binary(max_size=4)),
    min_size=1,
    max_size=4,
)


def messages(encoded: bytes, publisher: dict[str, str | None] | None) -> list[str]:
    """Return the messages about an attestation with this certificate, signed with the right key."""
    made = attestation(statement(FILE))
    made["verification_material"]["certificate"] = base64.b64encode(encoded).decode()
    findings = check_attestations(
        json.dumps([made]), filename=FILE.filename, sha256=FILE.sha256, publisher=publisher
    )
    return [finding.message.partition(": ")[2] for finding in findings]


@given(changes=splices, publisher=st.sampled_from(PUBLISHERS))
@search_settings(300, 200_000)
def test_a_damaged_certificate_causes_no_unexpected_error(
    changes: list[Splice], publisher: dict[str, str | None] | None
) -> None:
    encoded = CERTIFICATE
    for start, length, inserted in changes:
        encoded = encoded[:start] + inserted + encoded[start + length :]
    assert isinstance(messages(encoded, publisher), list)


@pytest.mark.parametrize(
    ("found", "replacement"),
    [
        # The version of the certificate, and the kind of the address in it.
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"),
        (b"\x81\x14" + EMAIL.encode(), b"\xa3\x14" + EMAIL.encode()),
    ],
    ids=["version", "address"],
)
def test_an_unsupported_certificate_is_not_valid(found: bytes, replacement: bytes) -> None:
    assert CERTIFICATE.count(found) == 1
    assert messages(CERTIFICATE.replace(found, replacement), GITHUB_PUBLISHER)[:1] == [INVALID]
