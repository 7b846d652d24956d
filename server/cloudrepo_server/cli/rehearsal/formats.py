"""The formats of a report."""

from collections.abc import Callable, Mapping
from typing import Final

from cloudrepo_server.cli import output
from cloudrepo_server.cli.rehearsal.junit_report import as_junit
from cloudrepo_server.cli.rehearsal.report import Report
from cloudrepo_server.cli.rehearsal.text_report import as_text

WRITERS: Final[Mapping[str, Callable[[Report], str]]] = {
    "text": as_text,
    "json": output.as_json,
    "junit": as_junit,
}
"""The function that writes a report, by the name of the format."""
