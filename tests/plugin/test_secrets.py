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

import pytest

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


LEAKS = """
import base64, json, logging, pathlib, sys, threading, warnings
from urllib.parse import unquote, urlsplit
import pytest, requests

HERE = pathlib.Path(__file__)


@pytest.fixture
def secrets(cloudrepo, cloudrepo_server):
    other = cloudrepo_server.create_user(passphrase="a chosen, 1%/ passphrase" + cloudrepo.name)
    proxy = urlsplit(cloudrepo.guard["HTTP_PROXY"])
    found = {
        "passphrase": cloudrepo.password,
        "chosen": other.passphrase,
        "token": cloudrepo_server.create_token(cloudrepo).token,
        "value": cloudrepo_server.create_token(cloudrepo, value="chosen/+" + cloudrepo.name)
        .as_username("x").username,
        "proxy": unquote(proxy.password),
        "admin": cloudrepo_server.admin_password,
    }
    for name, secret in found.items():
        HERE.with_name(f"secret-{name}-{cloudrepo.name}").write_text(secret)
    return "".join(found.values()), " ".join(found.values())


def test_prints(cloudrepo, secrets, record_property):
    url = cloudrepo.index_url + "/x"
    basic = base64.b64encode(f"{cloudrepo.username}:{cloudrepo.password}".encode()).decode()
    print(url, f"{cloudrepo.index_url}", *secrets, json.dumps(secrets), basic)
    print(base64.b64encode(("chosen/+" + cloudrepo.name + ":x").encode()).decode())
    print(url, file=sys.stderr)
    logging.getLogger().warning("used %s", url)
    record_property("url", url)
    record_property("secrets", secrets[1])
    record_property("mapping", {secrets[0]: pathlib.Path(secrets[1])})
    record_property(secrets[1], 1)


@pytest.mark.filterwarnings("always")
def test_warns(cloudrepo, secrets):
    def fail():
        raise ValueError(secrets[1])

    warnings.warn(f"{cloudrepo.index_url} {secrets}", DeprecationWarning)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def test_runs_programs(cloudrepo, cloudrepo_venv, secrets):
    show = "import os, sys; print(dict(os.environ), sys.argv); print(*sys.argv, file=sys.stderr)"
    results = [
        cloudrepo.run(sys.executable, "-c", show, *secrets),
        cloudrepo.run(sys.executable, "-c", show, environ=cloudrepo.impersonate("http://a.b/")),
        cloudrepo_venv.run("-c", show, *secrets),
    ]
    HERE.with_name("results").write_text(repr([(r.args, r.stdout, r.stderr) for r in results]))
    assert len(results) == 3


def test_compares(cloudrepo, secrets):
    url, joined = cloudrepo.index_url + "/x", secrets[1]
    assert (url, joined) == ("http://a.b/", "other")


def test_compares_long_texts(cloudrepo, secrets):
    texts = ["x" * number + cloudrepo.index_url + "y" * 300 for number in range(40, 120, 3)]
    assert [text for text in texts if text in "other"]


def test_sends_to_a_host_that_is_down(cloudrepo, secrets):
    login, _, _ = cloudrepo.index_url.partition("@")
    requests.get(login + "@127.0.0.1:9/x", params={"secret": secrets[1]}, timeout=10)


@pytest.mark.xfail(reason="to fail")
def test_fails_as_expected(cloudrepo, secrets):
    raise ValueError(f"{cloudrepo.index_url} {secrets}") from KeyError(secrets[1])


def test_fails_as_expected_for_a_secret_reason(cloudrepo, secrets):
    pytest.xfail(f"{cloudrepo.index_url} {secrets}")


def test_skips(cloudrepo, secrets):
    pytest.skip(f"without {cloudrepo.index_url} {secrets[1]}")


@pytest.fixture
def broken(cloudrepo, secrets):
    yield
    raise RuntimeError(f"{cloudrepo.index_url} {secrets}")


def test_fails_in_the_teardown(broken):
    pass
"""


@pytest.mark.parametrize(
    "options", [["-n0", "--showlocals", "-vv", "--full-trace"], ["-n2", "--tb=native"]]
)
def test_secrets_are_masked_in_the_report_and_in_program_output(
    suite: Suite, options: list[str]
) -> None:
    suite.write(test_it=LEAKS)
    outcome = suite.run(*options, "-rA", "--junit-xml=report.xml")
    assert outcome.counts() == {"passed": 4, "failed": 3, "errors": 1}, outcome
    files = [*suite.folder.glob("output-*.txt"), suite.folder / "report.xml"]
    files.append(suite.folder / "results")
    assert all(b"***" in path.read_bytes() for path in files)
    secrets = {path.name: path.read_text() for path in suite.folder.glob("secret-*")}
    assert len(secrets) == 6 * 10
    for name, secret in secrets.items():
        assert files_with(secret, files) == [], name
    # Not even the beginning or the end of a passphrase that pytest cut in the middle.
    for secret in suite.read("secret-passphrase-*"):
        for part in (secret[:8], secret[-8:]):
            assert [path for path in files if part in path.read_text()] == []
