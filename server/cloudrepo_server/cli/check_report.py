"""Reports of the command `check`: text for people, JSON, and JUnit's XML for CI services."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec

from cloudrepo_server.specs.pypi_rules.release_files import FileReport
from cloudrepo_server.specs.pypi_rules.rule import Finding

# XML 1.0 cannot represent these, even escaped, and a terminal would execute them.
_CONTROL = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUITE = "cloudrepo-server check"


def as_text(reports: Sequence[FileReport]) -> str:
    """Return the findings, grouped by file."""
    lines: list[str] = []
    for report in reports:
        lines.append(_printable(report.path))
        if report.error is not None:
            lines.append(f"  ✗ cannot be read: {_printable(report.error)}")
        elif not report.findings:
            lines.append("  ✓ PyPI accepts it")
        lines += [f"  ✗ {_one_line(finding)}" for finding in report.findings]
    return "".join(f"{line}\n" for line in lines)


def as_json(reports: Sequence[FileReport]) -> str:
    """Return the findings as a JSON list with an object for each file."""
    return msgspec.json.format(msgspec.json.encode(reports)).decode() + "\n"


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
            failure.text = _printable(f"{_one_line(finding)}\nPyPI says: {finding.message}")
        if not report.findings:
            case = _add_case(suite, report, "rules")
            if report.error is not None:
                ET.SubElement(case, "error", message=_printable(report.error))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_case(suite: ET.Element, report: FileReport, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_printable(report.path), name=name)


def _one_line(finding: Finding) -> str:
    separator = "; " if finding.advice.startswith("did you mean") else ": "
    return " ".join(_printable(finding.problem + separator + finding.advice).split())


def _printable(text: str) -> str:
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
