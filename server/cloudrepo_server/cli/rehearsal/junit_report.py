"""The report of a rehearsal in JUnit's XML, for CI services."""

import shlex
from xml.etree import ElementTree as ET

from cloudrepo_server.cli.output import as_xml, printable, printable_lines
from cloudrepo_server.cli.rehearsal.report import Rejection, Report, UploadedFile
from cloudrepo_server.cli.rehearsal.text_report import (
    difference_text,
    rejection_title,
    result,
    upload_text,
)

_NAME = "cloudrepo-server rehearse"


def as_junit(report: Report) -> str:
    """Return the report with a test suite for the command, and one for each file."""
    root = ET.Element("testsuites", name=_NAME)
    command = _suite(root, "command")
    case = _case(command, shlex.join(report.command))
    if report.command_status or report.uploaded_nothing or report.signal is not None:
        _failure(case, "command", result(report))
    for file in report.files:
        _add_file(root, file)
    for rejection in report.rejections:
        _add_rejection(root, rejection)
    for suite in root:
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    return as_xml(root)


def _add_file(root: ET.Element, file: UploadedFile) -> None:
    suite = _suite(root, file.filename)
    _output(_case(suite, "upload"), upload_text(file))
    case = _case(suite, "install")
    installation = file.installation
    if installation.status == "failed":
        _failure(case, "install", installation.reason or "", installation.output or "")
    elif installation.status == "skipped":
        ET.SubElement(case, "skipped", message=printable(installation.reason or ""))
    if file.differences is not None:
        case = _case(suite, "metadata")
        # A difference is no failure: PyPI accepts the file.
        _output(case, "\n".join(map(difference_text, file.differences)))


def _add_rejection(root: ET.Element, rejection: Rejection) -> None:
    case = _case(_suite(root, rejection_title(rejection)), "upload")
    message = f"{rejection.status} {rejection.message}"
    _failure(case, rejection.rule or "rejected", message, rejection.advice or "")


def _suite(root: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(root, "testsuite", name=printable(name))


def _case(suite: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=suite.get("name", ""), name=printable(name))


def _failure(case: ET.Element, kind: str, message: str, text: str = "") -> None:
    failure = ET.SubElement(case, "failure", type=kind, message=printable(message))
    failure.text = "\n".join(printable_lines(text))


def _output(case: ET.Element, text: str) -> None:
    if text:
        ET.SubElement(case, "system-out").text = "\n".join(printable_lines(text))
