"""`cloudrepo-server rehearse`: a release command, run against the URLs of PyPI."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psutil
import pytest

from cloudrepo_server.cli import main
from cloudrepo_server.clients import public_index
from tests.support.archives import core_metadata, wheel
from tests.support.hidden_modules import hide_modules
from tests.support.index import Index
from tests.support.platforms import needs_posix
from tests.support.rehearsal import (
    ENVIRON,
    PYTHON,
    REHEARSE,
    TWINE,
    buildable_sdist,
    rehearse,
    rehearse_as_json,
    upload_command,
    write,
)
from tests.support.terminal import run_in_terminal
from tests.support.user_settings import USER_VARIABLES
from tests.support.wait import wait_until

TRUST = ("--trust", "github:acme/demo/release.yml@pypi")
UV = (sys.executable, "-m", "uv", "publish", "--trusted-publishing", "always")
LINUX = "demo-1.0-cp313-cp313-linux_x86_64.whl"
# A wheel for another platform is not installed, which makes a rehearsal faster.
OTHER_PLATFORM = "demo-1.0-cp313-cp313-win_arm64.whl"
TITLE = "\nRehearsal of a release on PyPI\n"


def installations(report: dict[str, Any]) -> dict[str, str]:
    """Return the status of the installation of each uploaded file."""
    return {file["filename"]: file["installation"]["status"] for file in report["files"]}


# Uploads


def test_twine_publishes_with_a_token_and_each_file_is_installed_and_compared(
    tmp_path: Path,
) -> None:
    archives = wheel(), buildable_sdist()
    completed = rehearse("--", *TWINE, *write(tmp_path, *archives))
    assert completed.returncode == 0, completed.stdout + completed.stderr
    # The command's own output comes first.
    assert completed.stdout.startswith("Uploading distributions to https://")
    assert completed.stdout.partition(TITLE)[2].splitlines() == [
        *(
            line
            for archive in archives
            for line in (
                archive.filename,
                f"  ✓ uploaded: {len(archive.data):,} bytes, sha256 {archive.sha256}",
                "  ✓ pip installs it, without its dependencies",
                "  ✓ the index shows the metadata in the file",
            )
        ),
        "The command succeeded. 2 files uploaded.",
    ]


def test_uv_publishes_by_trusted_publishing_without_credentials(tmp_path: Path) -> None:
    [path] = write(tmp_path, wheel())
    variables = tmp_path / "variables.json"
    code = f"""
import json, os, pathlib, subprocess, sys
pathlib.Path({str(variables)!r}).write_text(json.dumps(dict(os.environ)))
sys.exit(subprocess.call({[*UV, str(path)]!r}))
"""
    report = rehearse_as_json(*TRUST, "--", *PYTHON, code)
    assert report["exit_status"] == 0, report
    assert installations(report) == {path.name: "installed"}
    assert report["publisher"] == "github:acme/demo/release.yml@pypi"
    environ = json.loads(variables.read_text())
    assert environ["GITHUB_REPOSITORY"] == "acme/demo"
    credentials = ("PASSWORD", "UV_PUBLISH", "PYPI_TOKEN", "HATCH_INDEX")
    assert [name for name in environ if any(each in name for each in credentials)] == []


def test_the_test_instance_is_rehearsed_by_its_name(tmp_path: Path) -> None:
    [path] = write(tmp_path, wheel(filename=OTHER_PLATFORM))
    upload = (*TWINE, "--repository", "testpypi", path)
    report = rehearse_as_json("--index", "testpypi", "--", *upload)
    assert (report["index"], report["exit_status"]) == ("TestPyPI", 0)
    assert installations(report) == {path.name: "skipped"}
    assert "win_arm64" in report["files"][0]["installation"]["reason"]


def test_a_rejected_file_is_explained(tmp_path: Path) -> None:
    completed = rehearse("--", *TWINE, *write(tmp_path, wheel(filename=LINUX)))
    # The exit status is that of the command.
    assert completed.returncode == 1
    assert completed.stdout.partition(TITLE)[2].splitlines() == [
        LINUX,
        (
            f"  ✗ rejected: 400 Binary wheel '{LINUX}' has an unsupported platform tag "
            "'linux_x86_64'."
        ),
        ("    rule platform-tag: build a manylinux or musllinux wheel (auditwheel, cibuildwheel)"),
        "PyPI reports one problem of a file at a time. `cloudrepo-server check` reports all.",
        "The command failed with the exit status 1. 0 files uploaded, 1 rejected.",
    ]


def test_junit_has_a_suite_for_the_command_and_for_each_file(tmp_path: Path) -> None:
    linux, other = wheel(filename=LINUX), wheel(filename=OTHER_PLATFORM)
    upload = upload_command(tmp_path, [linux, other])
    completed = rehearse("--report", "junit", "--", *upload[:-1], f"print('shown')\n{upload[-1]}")
    # The command succeeds, but a file was rejected.
    assert completed.returncode == 1
    # The output of the command is apart from the report.
    assert completed.stderr == "shown\n"
    suites = {suite.get("name"): suite for suite in ET.fromstring(completed.stdout)}  # noqa: S314 - our own XML
    assert {name: [case.get("name") for case in suite] for name, suite in suites.items()} == {
        "command": [suites["command"][0].get("name")],
        LINUX: ["upload"],
        OTHER_PLATFORM: ["upload", "install", "metadata"],
    }
    [failure] = suites[LINUX].iter("failure")
    assert failure.get("type") == "platform-tag"
    assert "cibuildwheel" in (failure.text or "")
    [skipped] = suites[OTHER_PLATFORM].iter("skipped")
    assert "it is for other platforms (cp313-cp313-win_arm64)" in skipped.get("message", "")
    assert [suite.get("failures") for suite in suites.values()].count("1") == 1


def test_several_projects_are_listed_and_a_repeated_upload_counts_once(tmp_path: Path) -> None:
    first = wheel(filename=OTHER_PLATFORM)
    changed = wheel(filename=OTHER_PLATFORM, module="x = 2\n")
    other = wheel("other", filename=OTHER_PLATFORM.replace("demo", "other"))
    report = rehearse_as_json("--", *upload_command(tmp_path, [first, other, first, changed]))
    assert installations(report) == {first.filename: "skipped", other.filename: "skipped"}
    assert report["files"][0]["sha256"] == first.sha256
    # PyPI accepts the same content again, but no other content.
    assert [each["rule"] for each in report["rejections"]] == ["file-exists"]
    assert (report["command_status"], report["exit_status"]) == (0, 1)


def test_a_rejected_identity_is_explained(tmp_path: Path) -> None:
    [path] = write(tmp_path, wheel())
    code = f"""
import os, subprocess, sys
os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] += "&audience=other"
sys.exit(subprocess.call({[*UV, str(path)]!r}))
"""
    completed = rehearse(*TRUST, "--", *PYTHON, code)
    assert completed.returncode != 0
    lines = completed.stdout.partition(TITLE)[2].splitlines()
    assert lines[0].startswith("request of uv/")
    assert lines[1].startswith("  ✗ rejected: 422 invalid-token: ")
    assert lines[2].endswith("0 files uploaded, 1 rejected.")


def test_the_command_gets_no_variable_of_the_user() -> None:
    users = dict.fromkeys(USER_VARIABLES, "value of the user")
    users.pop("PYTHONHOME")  # it would break the server itself
    users.pop("FORCE_COLOR")  # it describes the terminal
    code = "import json, os, sys; print(json.dumps(dict(os.environ)))"
    completed = rehearse("--", *PYTHON, code, environ=users)
    environ = json.loads(completed.stdout.splitlines()[0])
    assert [name for name, value in environ.items() if value == "value of the user"] == []
    assert environ["TWINE_PASSWORD"] == environ["UV_PUBLISH_TOKEN"]


# Installations and metadata


def test_requirements_come_from_the_named_index(index: Index, tmp_path: Path) -> None:
    index.publish(wheel("library"))
    sdist = buildable_sdist(requires="library", hook="import library")
    [path] = write(tmp_path, sdist)
    report = rehearse_as_json("--", *TWINE, path)
    assert installations(report) == {sdist.filename: "skipped"}
    reason = report["files"][0]["installation"]["reason"]
    assert reason.startswith("not installed: its build needs library; ")
    assert report["exit_status"] == 0

    broken = wheel("other", more="Requires-Dist: missing-library\n")
    upload = upload_command(tmp_path, [sdist, broken])
    report = rehearse_as_json("--dependencies", index.index_url, "--", *upload)
    assert installations(report) == {sdist.filename: "installed", broken.filename: "failed"}
    reason = report["files"][1]["installation"]["reason"]
    assert "missing-library" in reason
    assert (report["command_status"], report["exit_status"]) == (0, 1)


def test_a_file_that_pip_cannot_install_fails_the_rehearsal(tmp_path: Path) -> None:
    # pip must install each file itself, and not a better file of the same release.
    broken = buildable_sdist(hook="raise SystemExit('no compiler')")
    files = [wheel(), broken, wheel("other", wheel_version="9.0")]
    completed = rehearse("--", *upload_command(tmp_path, files))
    assert completed.returncode == 1, completed.stderr
    lines = completed.stdout.splitlines()
    sdist, other = [line for line in lines if "✗ pip cannot install it: " in line]
    assert lines.index(sdist) > lines.index(broken.filename)
    assert "no compiler" in completed.stdout
    assert "Wheel-Version (9.0) is not compatible with this version of pip" in other
    assert lines[-1] == "The command succeeded. 3 files uploaded, 2 not installable."


def test_a_form_that_contradicts_its_file_is_shown(tmp_path: Path) -> None:
    metadata = core_metadata("demo", "1.0", requires_python=">=3.9")
    archive = wheel(metadata=metadata, filename=OTHER_PLATFORM)
    upload = upload_command(tmp_path, [archive], requires_python=">=3.10", summary="New")
    completed = rehearse("--", *upload)
    assert completed.returncode == 0, completed.stderr
    assert [line for line in completed.stdout.splitlines() if line.startswith("  ! ")] == [
        "  ! Summary: the upload form has 'New', the file has none",
        "  ! Requires-Python: the upload form has '>=3.10', the file has '>=3.9'",
    ]


# Commands that upload nothing, or cannot start


def test_a_command_that_uploads_nothing_fails_with_its_requests() -> None:
    code = f"""
import requests
requests.get({public_index("pypi").simple!r} + "demo/")
requests.post({public_index("testpypi").upload!r})
"""
    completed = rehearse("--", *PYTHON, code)
    assert completed.returncode == 1
    lines = completed.stdout.splitlines()
    assert "It uploaded nothing to PyPI" in lines[-1]
    assert "--trust" in lines[-1]
    assert lines[lines.index("Requests to the index:") + 1].startswith("  GET /simple/demo/: 404 ")
    blocked = lines[lines.index("Blocked requests to other hosts:") + 1]
    assert blocked.startswith(f"  POST {public_index('testpypi').upload}: 403 ")
    assert "(python-requests/" in blocked


def test_a_job_that_uploads_nothing_must_publish_by_trusted_publishing() -> None:
    completed = rehearse(*TRUST, "--", *PYTHON, "")
    assert completed.returncode == 1
    assert completed.stdout.endswith(
        "The command succeeded. It uploaded nothing to PyPI. It must publish by trusted "
        "publishing, as a job of github:acme/demo/release.yml@pypi.\n"
    )


def test_a_failed_command_that_uploads_nothing_keeps_its_exit_status() -> None:
    completed = rehearse("--", *PYTHON, "raise SystemExit(7)")
    assert completed.returncode == 7
    assert completed.stdout.endswith(
        "The command failed with the exit status 7. It uploaded nothing to PyPI.\n"
    )


@pytest.mark.parametrize(("mode", "status"), [(None, 127), (0o644, 126)])
def test_a_command_that_cannot_start_is_reported_in_one_line(
    tmp_path: Path, mode: int | None, status: int
) -> None:
    program = tmp_path / "program"
    if mode is not None:
        program.touch(mode=mode)
    completed = rehearse("--", program)
    assert (completed.returncode, completed.stdout) == (status, "")
    assert completed.stderr.startswith(f"cloudrepo-server: cannot start {program}: ")
    assert len(completed.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--trust", "acme/demo"], "is not a trusted publisher"),
        (["--trust", "github:acme"], "workflow is missing"),
        (["--trust", "activestate:acme/demo/me"], "cannot request identity tokens"),
        (["--dependencies", "ftp://user:secret@index.example"], "not an http or https URL"),
        (["--index", "other"], "invalid choice: 'other'"),
    ],
)
def test_an_invalid_option_is_reported(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rehearse", *arguments, "--", "true"])
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "secret" not in shown


def test_missing_libraries_are_reported_with_the_extra(tmp_path: Path) -> None:
    completed = rehearse("--", "true", environ=hide_modules(tmp_path, "trustme", "rfc3986"))
    assert completed.returncode == 2
    assert "rehearse needs rfc3986, trustme" in completed.stderr
    assert "pytest-cloudrepo[rehearse]" in completed.stderr


def test_a_python_without_venv_installs_the_files_too(tmp_path: Path) -> None:
    upload = upload_command(tmp_path / "dist", [wheel()])
    completed = rehearse("--", *upload, environ=hide_modules(tmp_path / "hidden", "venv"))
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "✓ pip installs it" in completed.stdout


# Interruptions


@needs_posix("POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_command_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    # The command and its child process do not end when they receive the signal.
    handle = f"""
import signal, time
signal.signal({int(number)}, lambda *_: print("heard", flush=True))
"""
    child = handle + "print('ready', flush=True); time.sleep(600)"
    code = f"""
import os, subprocess, sys
{handle}
child = subprocess.Popen([sys.executable, "-c", {child!r}])
print("pids", os.getpid(), child.pid, flush=True)
while True: time.sleep(600)
"""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environ = ENVIRON | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    with run_in_terminal([*REHEARSE, "--", *PYTHON, code], environ) as terminal:
        pids = terminal.wait_for(r"pids (\d+) (\d+)").groups()
        terminal.wait_for("ready")
        terminal.process.send_signal(number)
        terminal.wait_for("heard")
        # After the second signal, `rehearse` does not wait for the command.
        terminal.process.send_signal(number)
        terminal.wait_for(f"Interrupted by {number.name}. It uploaded nothing to PyPI.")
        assert terminal.process.wait(timeout=60) == 128 + signal.SIGKILL
    wait_until(
        lambda: not any(psutil.pid_exists(int(pid)) for pid in pids), "the two processes to end"
    )
    assert list(temporary.iterdir()) == []


@needs_posix("POSIX signals")
def test_an_interrupted_installation_leaves_nothing_behind(tmp_path: Path) -> None:
    pid_file, temporary = tmp_path / "pid", tmp_path / "temporary"
    temporary.mkdir()
    hook = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    upload = upload_command(tmp_path, [buildable_sdist(hook=hook)])
    environ = ENVIRON | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    environ |= {"TERM": "xterm", "COLUMNS": "200"}
    with run_in_terminal([*REHEARSE, "--", *map(str, upload)], environ) as terminal:
        # A terminal shows what is going on.
        terminal.wait_for(r"\[1/1\] Installing demo-1\.0\.tar\.gz")
        wait_until(lambda: pid_file.exists() and bool(pid_file.read_text()), "a running build")
        terminal.process.send_signal(signal.SIGINT)
        terminal.wait_for(r"- not tried: the rehearsal was interrupted")
        terminal.wait_for(r"Interrupted by SIGINT\. 1 file uploaded, 1 not installed here\.")
        assert terminal.process.wait(timeout=60) == 128 + signal.SIGINT
    pid = int(pid_file.read_text())
    wait_until(lambda: not psutil.pid_exists(pid), "the build to end")
    assert list(temporary.iterdir()) == []


@needs_posix("process groups")
def test_a_program_that_the_command_leaves_running_is_ended() -> None:
    code = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)
"""
    completed = rehearse("--", *PYTHON, code)
    pid = int(completed.stdout.splitlines()[0])
    wait_until(lambda: not psutil.pid_exists(pid), "the program to end")
