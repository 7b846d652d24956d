"""Reports of the command `check`: text for people, JSON, and JUnit's XML for CI services."""

import json
import sys
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec

from cloudrepo_server.cli.terminal import coloured
from cloudrepo_server.specs.pypi_rules.release_files import FileReport
from cloudrepo_server.specs.pypi_rules.rule import Finding

_SUITE = "cloudrepo-server check"


def as_text(reports: Sequence[FileReport]) -> str:
    """Return the findings, grouped by file; in colour if the output is a terminal."""
    cross, tick = coloured("✗", "red", sys.stdout), coloured("✓", "green", sys.stdout)
    lines: list[str] = []
    for report in reports:
        lines.append(_printable(report.path))
        if report.error is not None:
            lines.append(f"  {cross} cannot be read: {_printable(report.error)}")
        elif not report.findings:
            lines.append(f"  {tick} PyPI accepts it")
        lines += [f"  {cross} {_one_line(finding)}" for finding in report.findings]
    return "".join(f"{line}\n" for line in lines)


def as_json(reports: Sequence[FileReport]) -> str:
    """Return the findings as a JSON list with an object for each file."""
    # In ASCII, because a file name may contain bytes of no encoding, and characters that a terminal
    # would execute.
    text = json.dumps(msgspec.to_builtins(reports), indent=2)
    return text.replace("\x7f", "\\u007f") + "\n"


def as_junit(reports: Sequence[FileReport]) -> str:
    """Return the findings in the XML format of JUnit: a test suite for each file."""
    root = ET.Element("testsuites", name=_SUITE)
    for report in reports:
        broken = len(report.findings)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_printable(report.path),
            tests=str(broken or 1),
            failures=str(broken),
            errors=str(int(report.error is not None)),
        )
        for finding in report.findings:
            case = _add_case(suite, report, finding.rule)
            message = _printable(finding.problem)
            failure = ET.SubElement(case, "failure", type=finding.rule, message=message)
            failure.text = f"{_one_line(finding)}\nPyPI says: {_printable(finding.message)}"
        if not report.findings:
            case = _add_case(suite, report, "rules")
            if report.error is not None:
                ET.SubElement(case, "error", message=_printable(report.error))
    ET.indent(root)
    # In ASCII, so that the declared encoding is right, whatever the encoding of the output.
    encoded: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return encoded.decode("ascii") + "\n"


def _add_case(suite: ET.Element, report: FileReport, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_printable(report.path), name=name)


def _one_line(finding: Finding) -> str:
    separator = "; " if finding.advice.startswith("did you mean") else ": "
    return _printable(" ".join(f"{finding.problem}{separator}{finding.advice}".split()))


def _printable(text: str) -> str:
    """Return the text in one line, with escapes for characters that are not printable.

    A terminal would execute some of them, others change the order of the characters shown, and XML
    cannot represent some at all. A line feed in a file name could forge a line of a report.
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
