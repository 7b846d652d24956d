"""Secrets in the output and the files of a pytest session.

No passphrase is written anywhere. The admin password is in the state file only.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import stat
import subprocess
from pathlib import Path
from urllib.parse import quote

from tests.support.inner_sessions import Suite

TESTS = """
import pathlib
import pytest

HERE = pathlib.Path(__file__)


def test_uses_secrets(cloudrepo, cloudrepo_server, cloudrepo_project, cloudrepo_venv, tmp_path):
    passphrase = cloudrepo.password
    HERE.with_name("passphrase-1").write_text(passphrase)
    user = cloudrepo_server.create_user(passphrase=passphrase[::-1] + ", 1%/")
    HERE.with_name("passphrase-2").write_text(user.passphrase)
    (wheel,) = cloudrepo_project("demo", "1.0").build(sdist=False)
    cloudrepo.upload(wheel)
    cloudrepo.overwrite_protection = True
    assert not cloudrepo.upload(wheel, check=False).ok
    assert not cloudrepo.as_user(cloudrepo_server.create_user(read_only=True)).upload(
        wheel, check=False
    ).ok
    index_url = cloudrepo.index_url
    with cloudrepo.fault("status", status=500, times=1):
        cloudrepo_venv.install("demo", index=cloudrepo, check=False)
    print(cloudrepo, cloudrepo_server, user, cloudrepo.requests, cloudrepo.environ_for("uv"))
    assert cloudrepo.requests == [], "to show all local variables"


def test_fails_to_upload(cloudrepo, tmp_path):
    HERE.with_name("passphrase-3").write_text(cloudrepo.password)
    invalid = tmp_path / "demo-1.0-py3-none-any.whl"
    invalid.write_text("")
    connection = cloudrepo.connection
    cloudrepo.upload(invalid)
"""


def encodings(secret: str) -> set[bytes]:
    """Return the encodings in which a secret could be written."""
    return {
        secret.encode(),
        quote(secret, safe="").encode(),
        base64.b64encode(secret.encode()).rstrip(b"="),
    }


def files_with(secret: str, files: list[Path]) -> list[Path]:
    return [path for path in files if any(each in path.read_bytes() for each in encodings(secret))]


def written_files(suite: Suite) -> list[Path]:
    """Return the files of the plugin, of pytest-xprocess and of the server, and the outputs."""
    folders = [suite.folder / ".pytest_cache", *suite.temporary_folders()]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [*files, *suite.folder.glob("output-*.txt"), suite.folder / "report.xml"]


def test_a_session_writes_no_passphrase_anywhere(suite: Suite) -> None:
    suite.write(test_it=TESTS)
    outcome = suite.run(
        *("--showlocals", "--full-trace", "-vv", "-rA", "--log-level=DEBUG", "-n0"),
        *("--junit-xml=report.xml", "--cloudrepo-keep"),
    )
    assert outcome.counts() == {"failed": 2}, outcome
    passphrases = suite.read("passphrase-*")
    assert len(set(passphrases)) == 3
    files = written_files(suite)
    assert {path.name for path in files} >= {"xprocess.log", "lastfailed", "report.xml"}
    for passphrase in passphrases:
        assert files_with(passphrase, files) == [], outcome
    # Because of --cloudrepo-keep, the admin password is also printed once, for the user.
    printed = dict(re.findall(r"^(admin login|to stop it): (.+)$", outcome.output, re.MULTILINE))
    password = printed["admin login"].split()[1]
    state, output = sorted(files_with(password, files), key=lambda path: path.suffix)
    assert (state.suffix, output.name) == (".json", "output-0.txt")
    assert outcome.output.count(password) == 1
    if os.name == "posix":
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
    subprocess.run(shlex.split(printed["to stop it"]), check=True)
    for server in list(suite.servers()):
        server.wait(60)


def test_a_session_that_stops_its_server_prints_no_password(suite: Suite) -> None:
    suite.write(
        test_it=TESTS
        + """

def test_reads_the_admin_password(cloudrepo_server, request):
    for path in (HERE.parent / ".pytest_cache").rglob("server.json"):
        HERE.with_name("state").write_text(path.read_text())
    assert 0
"""
    )
    outcome = suite.run("--showlocals", "-n2")
    assert outcome.counts() == {"failed": 3}, outcome
    (state,) = suite.read("state")
    (password,) = re.findall(r'"password": "([^"]+)"', state)
    for secret in (password, *suite.read("passphrase-*")):
        assert secret not in outcome.output
    suite.expect_nothing_left()
