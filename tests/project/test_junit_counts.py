"""`.ci/windows` counts the outcomes of the tests in each folder, from pytest's XML file."""

from __future__ import annotations

from pathlib import Path

from tests.support.junit_counts import lines

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
