"""`.ci/windows` counts the outcomes of the tests in each folder, from pytest's XML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.junit_counts import lines, main

REPORT = """\
<testsuites><testsuite>
  <testcase classname="tests.plugin.test_a" name="test_one"/>
  <testcase classname="tests.plugin.test_a.TestClass" name="test_two"/>
  <testcase classname="tests.server.cli.test_b" name="test_skipped"><skipped/></testcase>
  <testcase classname="tests.server.cli.test_b" name="test_failed"><failure/></testcase>
  <testcase classname="tests.server.cli.test_c" name="test_error"><error/></testcase>
</testsuite></testsuites>
"""


def test_each_outcome_is_counted_for_each_folder(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT, encoding="utf-8")
    assert lines(report) == ["tests/plugin: 2 passed", "tests/server/cli: 2 failed, 1 skipped"]


def test_the_lines_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT, encoding="utf-8")
    assert main(report) is None
    assert capsys.readouterr().out.splitlines() == lines(report)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "pytest has not written "),
        ("", "is incomplete or damaged "),
        (REPORT[:200], "is incomplete or damaged "),
        ("<testsuites><testsuite/></testsuites>", "contains no test"),
    ],
)
def test_a_report_without_results_causes_one_error_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, reason: str
) -> None:
    report = tmp_path / "report.xml"
    if content is not None:
        report.write_text(content, encoding="utf-8")
    message = main(report)
    assert message is not None
    assert message.startswith("no results: ")
    assert reason in message
    assert str(report) in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""
