"""Reports of the command `check`: text for people, and JUnit's XML for CI services."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from cloudrepo_server.cli import output
from cloudrepo_server.cli.output import printable
from cloudrepo_server.cli.terminal import cross, tick
from cloudrepo_server.specs.pypi_rules.release_files import FileReport
from cloudrepo_server.specs.pypi_rules.rule import Finding

_SUITE = "cloudrepo-server check"


def as_text(reports: Sequence[FileReport]) -> str:
    """Return the findings, grouped by file; in colour if the output is a terminal."""
    lines: list[str] = []
    for report in reports:
        lines.append(printable(report.path))
        if report.error is not None:
            lines.append(f"  {cross()} cannot be read: {printable(report.error)}")
        elif not report.findings:
            lines.append(f"  {tick()} PyPI accepts it")
        lines += [f"  {cross()} {_one_line(finding)}" for finding in report.findings]
    return "".join(f"{line}\n" for line in lines)


def as_junit(reports: Sequence[FileReport]) -> str:
    """Return the findings in the XML format of JUnit: a test suite for each file."""
    root = ET.Element("testsuites", name=_SUITE)
    for report in reports:
        broken = len(report.findings)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=printable(report.path),
            tests=str(broken or 1),
            failures=str(broken),
            errors=str(int(report.error is not None)),
        )
        for finding in report.findings:
            case = _add_case(suite, report, finding.rule)
            message = printable(finding.problem)
            failure = ET.SubElement(case, "failure", type=finding.rule, message=message)
            failure.text = f"{_one_line(finding)}\nPyPI says: {printable(finding.message)}"
        if not report.findings:
            case = _add_case(suite, report, "rules")
            if report.error is not None:
                ET.SubElement(case, "error", message=printable(report.error))
    return output.as_xml(root)


def _add_case(suite: ET.Element, report: FileReport, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=printable(report.path), name=name)


def _one_line(finding: Finding) -> str:
    separator = "; " if finding.advice.startswith("did you mean") else ": "
    return output.one_line(f"{finding.problem}{separator}{finding.advice}")
