"""What a run writes: no passphrase in any of it, and the admin password in the state file alone."""

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

USES = """
import pathlib
import pytest

HERE = pathlib.Path(__file__)


def test_uses_all(cloudrepo, cloudrepo_server, cloudrepo_project, cloudrepo_venv, tmp_path):
    passphrase = cloudrepo.password
    HERE.with_name("passphrase-1").write_text(passphrase)
    chosen = cloudrepo_server.create_user(passphrase=passphrase[::-1] + ", 1%/")
    HERE.with_name("passphrase-2").write_text(chosen.passphrase)
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
    print(cloudrepo, cloudrepo_server, chosen, cloudrepo.requests, cloudrepo.environ_for("uv"))
    assert cloudrepo.requests == [], "so that all is shown"


def test_is_refused(cloudrepo, tmp_path):
    HERE.with_name("passphrase-3").write_text(cloudrepo.password)
    wrong = tmp_path / "demo-1.0-py3-none-any.whl"
    wrong.write_text("")
    connection = cloudrepo.connection
    cloudrepo.upload(wrong)
"""


def spellings(secret: str) -> set[bytes]:
    """How a secret could stand somewhere; not all of it need be there to be of use."""
    return {
        secret.encode(),
        quote(secret, safe="").encode(),
        base64.b64encode(secret.encode()).rstrip(b"="),
    }


def holders(secret: str, files: list[Path]) -> list[Path]:
    return [path for path in files if any(each in path.read_bytes() for each in spellings(secret))]


def written(suite: Suite) -> list[Path]:
    """All that the plugin, pytest-xprocess and the server wrote, and what was printed."""
    folders = [suite.folder / ".pytest_cache", *suite.temporary_folders()]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [*found, *suite.folder.glob("output-*.txt"), suite.folder / "report.xml"]


def test_no_passphrase_is_in_what_a_run_wrote(suite: Suite) -> None:
    suite.write(test_it=USES)
    outcome = suite.run(
        *("--showlocals", "--full-trace", "-vv", "-rA", "--log-level=DEBUG", "-n0"),
        *("--junit-xml=report.xml", "--cloudrepo-keep"),
    )
    assert outcome.counts() == {"failed": 2}, outcome
    passphrases = suite.read("passphrase-*")
    assert len(set(passphrases)) == 3
    files = written(suite)
    assert {path.name for path in files} >= {"xprocess.log", "lastfailed", "report.xml"}
    for passphrase in passphrases:
        assert holders(passphrase, files) == [], outcome
    # It is printed once more for whoever asked to keep the server, who could not know it else.
    said = dict(re.findall(r"^(admin login|to stop it): (.+)$", outcome.output, re.MULTILINE))
    password = said["admin login"].split()[1]
    state, output = sorted(holders(password, files), key=lambda path: path.suffix)
    assert (state.suffix, output.name) == (".json", "output-0.txt")
    assert outcome.output.count(password) == 1
    if os.name == "posix":
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
    subprocess.run(shlex.split(said["to stop it"]), check=True)
    (*left,) = suite.servers()
    for server in left:
        server.wait(60)


def test_no_password_is_in_what_a_run_prints_that_keeps_nothing(suite: Suite) -> None:
    suite.write(
        test_it=USES
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
