"""`cloudrepo-server check`: reports why PyPI would reject files, without uploading them."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from cloudrepo_server import cli
from cloudrepo_server.domain import readme_process
from tests.support.attestations import attestation, statement
from tests.support.platforms import WINDOWS, needs_posix
from tests.support.pypi_rules import CASES, Case, Upload

# Windows does not allow files with the names in these cases.
NOT_ON_WINDOWS = {"filename-characters", "filename-length"} if WINDOWS else set[str]()
IN_FILES = [case for case in CASES if case.in_check and case.rule not in NOT_ON_WINDOWS]


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudrepo_server", "check", *arguments],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8"} | os.environ,
    )


def write(folder: Path, upload: Upload) -> Path:
    folder.mkdir(parents=True)
    archive = upload.archive()
    path = folder / archive.filename
    path.write_bytes(archive.data)
    return path


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The report on the broken file of each case, and on the corrected one."""
    folder = tmp_path_factory.mktemp("files")
    paths = [write(folder / "broken" / case.rule, case.broken) for case in IN_FILES]
    paths += [write(folder / "corrected" / case.rule, case.corrected) for case in IN_FILES]
    completed = check("--format", "json", *paths)
    assert completed.returncode == 1, completed.stderr
    found = {}
    for report in json.loads(completed.stdout):
        path = Path(report["path"])
        found["/".join(path.parts[-3:-1])] = report
    return found


@pytest.mark.parametrize("case", IN_FILES, ids=lambda case: case.rule)
def test_check_finds_the_broken_rule_with_advice(
    reports: dict[str, dict[str, Any]], case: Case
) -> None:
    findings = reports[f"broken/{case.rule}"]["findings"]
    found = [finding for finding in findings if finding["rule"] == case.rule]
    assert found, findings
    assert case.words in found[0]["message"]
    assert found[0]["problem"]
    assert found[0]["advice"]


@pytest.mark.parametrize("case", IN_FILES, ids=lambda case: case.rule)
def test_check_finds_nothing_in_the_corrected_file(
    reports: dict[str, dict[str, Any]], case: Case
) -> None:
    found = [finding["rule"] for finding in reports[f"corrected/{case.rule}"]["findings"]]
    # All these files are of one release, which may have one sdist.
    assert set(found) <= {"one-sdist"}


def test_every_finding_of_every_file_is_shown_at_once(tmp_path: Path) -> None:
    wheel = write(tmp_path / "wheel", Upload(filename="demo-1.0-cp313-cp313-linux_x86_64.whl"))
    fields = {"classifiers": ["Topic :: Software Developmint"], "summary": "x" * 600}
    sdist = write(tmp_path / "sdist", Upload(fields, kind="sdist"))
    completed = check(wheel, sdist)
    assert completed.returncode == 1
    assert completed.stdout.splitlines() == [
        str(wheel),
        (
            "  ✗ platform tag 'linux_x86_64' is not accepted: build a manylinux or musllinux wheel "
            "(auditwheel, cibuildwheel)"
        ),
        str(sdist),
        (
            "  ✗ classifier 'Topic :: Software Developmint' is unknown; did you mean "
            "'Topic :: Software Development'?"
        ),
        (
            "  ✗ Summary has 600 characters; the limit is 512: shorten it, and move the rest to "
            "the description"
        ),
    ]


def test_files_without_findings_exit_with_0(tmp_path: Path) -> None:
    write(tmp_path / "dist", Upload())
    completed = check(tmp_path / "dist")
    assert completed.returncode == 0
    assert "✓ PyPI accepts it" in completed.stdout


def test_a_file_that_cannot_be_read_exits_with_2(tmp_path: Path) -> None:
    good = write(tmp_path / "dist", Upload())
    completed = check(tmp_path / "missing.whl", good)
    assert completed.returncode == 2
    assert "missing.whl\n  ✗ cannot be read: No such file or directory" in completed.stdout
    assert "✓ PyPI accepts it" in completed.stdout


def test_signatures_are_ignored_and_attestations_are_checked(tmp_path: Path) -> None:
    wheel = write(tmp_path / "dist", Upload())
    wheel.with_name(wheel.name + ".asc").write_text("signature")
    wheel.with_name(wheel.name + ".publish.attestation").write_text("{}")
    completed = check("--format", "json", tmp_path / "dist")
    rules = {
        Path(report["path"]).name: [finding["rule"] for finding in report["findings"]]
        for report in json.loads(completed.stdout)
    }
    assert rules == {wheel.name: [], wheel.name + ".publish.attestation": ["attestations"]}


def test_an_attestation_must_be_signed_and_about_the_file_beside_it(tmp_path: Path) -> None:
    wheel = write(tmp_path / "dist", Upload())
    archive = Upload().archive()
    path = wheel.with_name(wheel.name + ".publish.attestation")
    changed = replace(archive, data=b"")
    for made, rules in (
        (attestation(statement(archive)), []),
        (attestation(statement(changed)), ["attestation-subject"]),
        (attestation(statement(archive), signature=b"no signature"), ["attestation-signer"]),
    ):
        path.write_text(json.dumps(made))
        reports = json.loads(check("--format", "json", path).stdout)
        assert [finding["rule"] for finding in reports[0]["findings"]] == rules


def test_the_name_of_an_existing_project_is_not_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "dist", Upload(name="asyncore"))
    assert check(path).returncode == 1
    assert check("--existing-project", path).returncode == 0


def test_a_raised_limit_allows_larger_files(tmp_path: Path) -> None:
    path = write(tmp_path / "dist", Upload())
    assert "the file has" in check("--max-file-size", "100", path).stdout
    assert check("--max-file-size", "100000", path).returncode == 0


def test_a_second_sdist_of_a_release_is_found(tmp_path: Path) -> None:
    paths = [write(tmp_path / "1", Upload(kind="sdist")), write(tmp_path / "2", Upload(kind="zip"))]
    assert "the release has an sdist already" in check(*paths).stdout


def test_junit_has_a_suite_for_each_file_and_escapes_every_text(tmp_path: Path) -> None:
    summary = "<&\x01\x1b[31m]]>" + "x" * 600
    broken = write(tmp_path / "a", Upload({"summary": summary, "classifiers": ["<&>\x02"]}))
    good = write(tmp_path / "b", Upload())
    completed = check("--format", "junit", broken, good, tmp_path / "missing.whl")
    assert completed.returncode == 2
    suites = {suite.get("name"): suite for suite in ET.fromstring(completed.stdout)}  # noqa: S314 - our own XML
    assert list(suites) == [str(broken), str(good), str(tmp_path / "missing.whl")]
    failures = [failure.get("type") for failure in suites[str(broken)].iter("failure")]
    assert failures == ["classifier", "summary-length"]
    assert suites[str(broken)].get("failures") == "2"
    assert suites[str(good)].get("failures") == "0"
    assert len(list(suites[str(good)])) == 1
    assert suites[str(tmp_path / "missing.whl")].get("errors") == "1"


def test_the_report_has_no_control_characters(tmp_path: Path) -> None:
    path = write(tmp_path / "a", Upload({"classifiers": ["\x1b[31m"]}))
    output = check(path).stdout
    assert "classifier" in output
    assert "\x1b" not in output


def test_a_readme_that_takes_too_long_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    impatient = functools.partial(readme_process.ReadmeProcess, seconds=0.5)
    monkeypatch.setattr(readme_process, "ReadmeProcess", impatient)
    fields = {"description": "<div>" * 52_000, "description_content_type": "text/markdown"}
    path = write(tmp_path / "a", Upload(fields))
    with pytest.raises(SystemExit) as exited:
        cli.main(["check", str(path)])
    assert exited.value.code == 1
    assert "the description cannot be rendered for 'text/markdown'" in capsys.readouterr().out


UNPRINTABLE = (
    "\n",
    "\t",
    "\x1b[31m",
    "\x7f",
    "\x9b31m",
    "\u202e",
    "\u2028",
    "\udcff",
    "\U000e0001",
)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems forbid some of these names")
def test_no_format_shows_unprintable_characters_of_a_file_name(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}{text}-1.0.egg" for number, text in enumerate(UNPRINTABLE)]
    for path in paths:
        path.write_bytes(b"x")
    escaped = [
        f"{tmp_path}/{number}{repr(text)[1:-1]}-1.0.egg" for number, text in enumerate(UNPRINTABLE)
    ]
    assert check(tmp_path).stdout.splitlines()[::2] == escaped
    as_json = check("--format", "json", tmp_path).stdout
    as_xml = check("--format", "junit", tmp_path).stdout
    for output in (as_json, as_xml):
        assert all(char == "\n" or (char.isascii() and char.isprintable()) for char in output)
    assert [report["path"] for report in json.loads(as_json)] == [str(path) for path in paths]
    assert [suite.get("name") for suite in ET.fromstring(as_xml)] == escaped  # noqa: S314 - our own XML


def test_a_report_needs_no_particular_encoding_of_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    path = write(tmp_path / "ü", Upload({"summary": "ü" * 600}))
    for report_format in ("text", "json", "junit"):
        completed = check("--format", report_format, path)
        assert (completed.returncode, completed.stderr) == (1, "")
        assert "Summary has 600 characters" in completed.stdout
    # The commands print `+` and `x` instead of a tick and a cross.
    assert "\n  x Summary" in check(path).stdout
    assert "\n  + PyPI accepts it" in check(write(tmp_path / "good", Upload())).stdout


@needs_posix("device files")
def test_a_named_pipe_or_a_device_cannot_be_read(tmp_path: Path) -> None:
    pipe, device = tmp_path / "demo-1.0.tar.gz", tmp_path / "demo-1.0.zip"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    attestation = tmp_path / f"{pipe.name}.publish.attestation"
    attestation.write_text("{}")
    completed = check(pipe, device, attestation)
    assert completed.returncode == 2
    assert completed.stdout.count("  ✗ cannot be read: Not a regular file\n") == 3


@pytest.mark.parametrize("name", ["demo-1.0-py2.7.egg", "demo-1.0.exe", "notes.txt"])
def test_a_file_of_another_type_is_no_release(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    completed = check("--format", "json", path)
    assert completed.returncode == 1
    [report] = json.loads(completed.stdout)
    assert [finding["rule"] for finding in report["findings"]] == ["filetype"]
