"""The formats of a report."""

from collections.abc import Callable, Mapping
from typing import Final

from cloudrepo_server.cli import output
from cloudrepo_server.cli.rehearsal.junit_report import as_junit
from cloudrepo_server.cli.rehearsal.report import Report
from cloudrepo_server.cli.rehearsal.text_report import as_text


def as_json(report: Report) -> str:
    """Return the report as a JSON object."""
    return output.as_json(report)


WRITERS: Final[Mapping[str, Callable[[Report], str]]] = {
    "text": as_text,
    "json": as_json,
    "junit": as_junit,
}
"""The function that writes a report, by the name of the format."""
