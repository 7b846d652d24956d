"""The report of a rehearsal, and the decision whether a file can be installed here."""

from __future__ import annotations

import base64
import json
import platform

import msgspec
import pytest

from cloudrepo_server.cli.rehearsal.formats import WRITERS
from cloudrepo_server.cli.rehearsal.installation import why_not_installable
from cloudrepo_server.cli.rehearsal.report import (
    Difference,
    Installation,
    Rejection,
    Report,
    Request,
    UploadedFile,
)
from cloudrepo_server.models import File
from cloudrepo_server.specs.provenance import attestation_types

PUBLISH = "https://docs.example/attestations/publish/v1"
NASTY = "\x1b[31m\u202e\n<&>"


def report_with(text: str) -> Report:
    """Return a report with every part, in which a client could choose the text."""
    return Report(
        index="PyPI",
        command=("twine", text),
        command_status=0,
        files=(
            UploadedFile(
                filename=f"{text}.whl",
                project="demo",
                version="1.0",
                size=1,
                sha256="0" * 64,
                attestations=(PUBLISH, text),
                installation=Installation("failed", text, text),
                differences=(Difference("Summary", "JSON API", text, None),),
            ),
        ),
        rejections=(
            Rejection(
                filename=text,
                project=None,
                status=400,
                message=text,
                rule="classifier",
                advice=text,
                program=text,
            ),
        ),
        blocked=(Request(method="GET", url=text, status=403, reason=text, program=text),),
        exit_status=1,
    )


@pytest.mark.parametrize("form", WRITERS)
def test_no_format_shows_control_characters(form: str) -> None:
    written = WRITERS[form](report_with(NASTY))
    assert "1b[31m" in written
    assert all(char.isprintable() for line in written.split("\n") for char in line)


def test_the_text_names_the_types_of_attestations() -> None:
    assert "2 attestations (publish/v1, other)" in WRITERS["text"](report_with("other"))


def test_requests_beyond_a_limit_are_counted() -> None:
    request = report_with("x").blocked[0]
    report = msgspec.structs.replace(report_with("x"), blocked=(request,) * 23)
    assert "  and 3 more" in WRITERS["text"](report).splitlines()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (base64.b64encode(json.dumps({"predicateType": PUBLISH}).encode()).decode(), PUBLISH),
        ("not base64", "unknown"),
        ("", "unknown"),
        (base64.b64encode(b"[]").decode(), "unknown"),
        (7, "unknown"),
    ],
)
def test_the_type_of_an_attestation_is_that_of_its_statement(
    statement: object, expected: str
) -> None:
    attestations = [{"envelope": {"statement": statement}}]
    assert attestation_types(json.dumps(attestations)) == (expected,)


def test_an_attestation_without_a_statement_has_no_known_type() -> None:
    assert attestation_types("[{}, []]") == ("unknown", "unknown")
    assert attestation_types(None) == ()


def file(filename: str, requires_python: str | None = None) -> File:
    return File(
        filename=filename,
        version="1.0",
        size=1,
        sha256="",
        upload_time="",
        uploader="",
        blob="",
        requires_python=requires_python,
    )


@pytest.mark.parametrize(
    ("filename", "requires_python", "reason"),
    [
        ("demo-1.0-py3-none-any.whl", None, None),
        ("demo-1.0.tar.gz", ">=3", None),
        (
            "demo-1.0-cp27-none-any.whl",
            None,
            "not tried: it is for other platforms (cp27-none-any)",
        ),
        ("demo-1.0-py3-none-win_arm64.whl", None, "(py3-none-win_arm64)"),
        ("demo-1.0.tar.gz", "<3", f"<3, and this is Python {platform.python_version()}"),
    ],
)
def test_a_file_for_another_platform_or_python_is_not_installed(
    filename: str, requires_python: str | None, reason: str | None
) -> None:
    shown = why_not_installable(file(filename, requires_python))
    assert (shown is None) == (reason is None)
    assert (reason or "") in (shown or "")
