"""Prints how many tests of each folder passed, were skipped or failed, from pytest's XML file.

python -m tests.support.junit_counts FILE
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path


def lines(report: Path) -> list[str]:
    """Return a line for each folder of tests, such as `tests/plugin: 9 passed, 1 skipped`."""
    folders: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own XML
        folders[_folder(case.get("classname", ""))][_outcome(case)] += 1
    return [
        f"{folder}: " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
        for folder, counts in sorted(folders.items())
    ]


def _folder(class_name: str) -> str:
    """Return the folder of a test from the full name of its class, `tests.a.test_b.TestC`."""
    folder, _, _ = class_name.partition(".test_")
    return folder.replace(".", "/")


def _outcome(case: ET.Element) -> str:
    outcomes = {"failure": "failed", "error": "failed", "skipped": "skipped"}
    return next((outcomes[each.tag] for each in case if each.tag in outcomes), "passed")


def main(report: Path) -> str | None:
    """Print the lines, or return an error message if the report is missing or has no results."""
    try:
        counted = lines(report)
    except FileNotFoundError:
        return f"no results: pytest has not written {report}, see its output above"
    except ET.ParseError as error:
        return f"no results: {report} is incomplete or damaged ({error}); did pytest end by itself?"
    if not counted:
        return f"no results: {report} contains no test, so pytest has run none"
    print(*counted, sep="\n")  # noqa: T201 - the output of this program
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
