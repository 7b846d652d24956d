"""The report of a failed test lists the requests to its repositories, and hides passwords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

from pytest_cloudrepo import CommandError
from pytest_cloudrepo._report import report_sections
from pytest_cloudrepo._server.run_folder import RunFolder
from pytest_cloudrepo.errors import ServerError
from tests.support.inner_sessions import Suite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_cloudrepo import PackageFactory, Repository, VirtualEnv
    from tests.support.inner_sessions import Outcome

SENDS_REQUESTS = """
import requests

def get(repository, path):
    requests.get(repository.index_url + path, headers={"User-Agent": "me/1"}, timeout=10)

def test_sends(cloudrepo, cloudrepo_factory):
    get(cloudrepo, "/demo/demo-1.0.tar.gz")
    requests.get(cloudrepo.url + "/", headers={"User-Agent": "me/1"}, timeout=10)
    other = cloudrepo_factory()
    assert 0

def test_passes(cloudrepo):
    get(cloudrepo, "/quiet/")

def test_also_sends(cloudrepo):
    get(cloudrepo, "/loud/")
    assert 0
"""


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_failed_test_shows_the_requests_to_its_repositories(suite: Suite, workers: str) -> None:
    suite.write(test_it=SENDS_REQUESTS)
    outcome = suite.run(workers)
    assert outcome.counts() == {"passed": 1, "failed": 2}, outcome
    found = re.findall(
        r"-+ cloudrepo: requests to (test_\w+)-\w+ -+\n((?:(?![-=_]{3}).*\n)*)", outcome.output
    )
    section_of = {name: text for name, text in found if "No requests" not in text}
    duration = r" +\d+ ms  "
    sends = section_of["test_sends"]
    assert re.search(rf"GET  /demo/demo-1.0.tar.gz +me/1{duration}404 \S+", sends)
    assert re.search(rf"GET  / +unauthenticated  me/1{duration}401 \S+", sends)
    assert "/loud/" not in section_of["test_sends"]
    assert "/loud/" in section_of["test_also_sends"]
    assert [name for name, text in found if text == "No requests.\n"] == ["test_sends"]
    assert "/quiet/" not in outcome.output


FAILS = """
import sys
import urllib.request

import pytest
import requests

def get(repository, path, times=1):
    for _ in range(times):
        requests.get(repository.index_url + path, headers={"User-Agent": "me/1"}, timeout=10)

@pytest.mark.cloudrepo(overwrite_protection=True)
def test_rejected_overwrite(cloudrepo, cloudrepo_package):
    sdist = cloudrepo_package("demo", "1.0", sdist=True)
    cloudrepo.publish(sdist)
    cloudrepo.upload(sdist)

@pytest.mark.cloudrepo(overwrite_protection=True)
def test_assertion(cloudrepo, cloudrepo_package):
    sdist = cloudrepo_package("demo", "1.0", sdist=True)
    cloudrepo.publish(sdist)
    again = cloudrepo.upload(sdist, check=False)
    assert again.ok

def test_injected_fault(cloudrepo):
    cloudrepo.fault("latency", seconds=0)
    cloudrepo.fault("status", status=503)
    get(cloudrepo, "/demo/", times=5)
    assert 0

def test_changed_file(cloudrepo, cloudrepo_package):
    wheel = cloudrepo_package("demo", "1.0")
    cloudrepo.publish(wheel)
    cloudrepo.fault("truncate", path="*.whl")
    with requests.get(f"{cloudrepo.index_url}/demo/{wheel.name}", stream=True, timeout=10) as read:
        assert read.status_code != 200

def test_missing_in_upstream(cloudrepo_factory):
    upstream = cloudrepo_factory()
    get(cloudrepo_factory(upstream=[upstream]), "/lacking/")
    assert 0

def test_missing(cloudrepo):
    get(cloudrepo, "/lacking/")
    assert 0

def test_blocked_host(cloudrepo):
    program = "import urllib.request as u; u.urlopen('http://files.example/x')"
    cloudrepo.run(sys.executable, "-c", program)

def test_wrong_login(cloudrepo):
    requests.get(cloudrepo.url + "/", timeout=10)
    assert 0

def test_expired_url(cloudrepo_factory, cloudrepo_package):
    repository = cloudrepo_factory(files="redirect", file_url_seconds=0)
    wheel = cloudrepo_package("demo", "1.0")
    repository.publish(wheel)
    get(repository, f"/demo/{wheel.name}")
    assert 0

def test_broken_rule(cloudrepo_factory, cloudrepo_package):
    pypi = cloudrepo_factory(rules="pypi")
    pypi.upload(cloudrepo_package("requests-demo", "1.0", requires=["x @ https://files.example/x"]))
"""


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Suite, Outcome]]:
    """A session on a terminal with colours, whose tests fail for different reasons."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    suite = Suite(folder)
    suite.write(test_it=FAILS)
    yield suite, suite.run("-n2", "--color=yes", "--tb=short", "--junitxml=junit.xml")
    suite.close()


def summary_of(outcome: Outcome, test: str) -> str:
    """Return what pytest's summary says about a failed test."""
    (line,) = re.findall(rf"^FAILED test_it.py::{test} - (.*)", plain(outcome), re.MULTILINE)
    return str(line)


def section_of(outcome: Outcome, test: str) -> str:
    """Return the last section about the requests of a failed test, without colours."""
    pattern = (
        rf"-+ cloudrepo: requests to {test[:21].rstrip('-')}-\w+ -+\n((?:(?![-=_]{{3}}).*\n)*)"
    )
    sections = re.findall(pattern, plain(outcome))
    assert sections, f"the report of {test} has no section about requests:\n{plain(outcome)}"
    return str(sections[-1])


def plain(outcome: Outcome) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", outcome.output)


def test_the_summary_says_what_the_server_rejected(failures: tuple[Suite, Outcome]) -> None:
    _, outcome = failures
    rejected = "409 File already exists: demo-1.0.tar.gz (overwrite protection is on)"
    assert summary_of(outcome, "test_rejected_overwrite") == f"twine upload: {rejected}"
    assert (
        summary_of(outcome, "test_assertion")
        == f"assert <CommandResult twine upload: {rejected} (exited with status 1)>.ok"
    )
    assert "python -c: 403 blocked: files.example" in summary_of(outcome, "test_blocked_host")


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("test_rejected_overwrite", "raise the version, or turn overwrite protection off with"),
        (
            "test_injected_fault",
            "503 by fault #2: Service Unavailable (fault #1: latency) \N{MULTIPLICATION SIGN}5\n",
        ),
        ("test_injected_fault", "-> Fault #2 (status) replaced the response to GET demo: "),
        (
            "test_injected_fault",
            "The program sent this request 5 times. Limit the fault with `times`, or",
        ),
        ("test_changed_file", "Let the program retry, or limit the fault with `times`, or remove"),
        ("test_changed_file", "200 OK (fault #1: truncate)\n-> Fault #1 (truncate) changed"),
        ("test_missing_in_upstream", ", nor in its upstream test_missing_in_upst"),
        ("test_missing_in_upstream", "-> lacking is neither in the repository nor in its upstream"),
        ("test_missing", "-> lacking is not in the repository: publish it first"),
        ("test_blocked_host", "403 blocked: files.example may not be reached from this "),
        ("test_blocked_host", "-> To let programs reach files.example, call allow_hosts('files."),
        ("test_wrong_login", "-> The login is missing or wrong: run the program with `run`"),
        ("test_expired_url", "-> The URL of the file has expired or is not valid: let the"),
        ("test_broken_rule", "breaks PyPI's rule "),
    ],
)
def test_the_report_names_the_cause_and_what_to_try(
    failures: tuple[Suite, Outcome], test: str, expected: str
) -> None:
    _, outcome = failures
    assert expected in section_of(outcome, test)


def test_an_upstream_without_requests_says_that_a_repository_queried_it(
    failures: tuple[Suite, Outcome],
) -> None:
    _, outcome = failures
    assert re.search(
        r"- cloudrepo: requests to (test_missing_in_\w+-\w+) -+\n"
        r"No requests, except that (test_missing_in_\w+-\w+) queried it as its upstream\.\n"
        r"-+ cloudrepo: requests to \2 -",
        plain(outcome),
    )


def test_the_terminal_shows_each_status_in_colour_and_files_do_not(
    failures: tuple[Suite, Outcome],
) -> None:
    suite, outcome = failures
    assert re.search(r" ms  \x1b\[31m503 by fault #2.*\xd75\x1b\[0m$", outcome.output, re.MULTILINE)
    assert re.search(r" ms  \x1b\[33m409 File already exists", outcome.output)
    assert re.search(r" ms  \x1b\[32m200 OK", outcome.output)
    assert "\x1b" not in (suite.folder / "junit.xml").read_text("utf-8")


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_test_whose_server_died_shows_the_end_of_the_servers_log(
    suite: Suite, workers: str
) -> None:
    suite.write(
        test_it="""
import pathlib
import psutil, pytest, requests

@pytest.fixture
def other(cloudrepo_factory):
    return cloudrepo_factory()

def test_dies(cloudrepo, cloudrepo_server, request):
    requests.get(cloudrepo.index_url + "/demo/", timeout=10)
    # A repository of another test.
    admin = (cloudrepo_server.admin_username, cloudrepo_server.admin_password)
    api = cloudrepo_server.url + "/api/repositories"
    requests.post(api, json={"name": "elsewhere"}, auth=admin, timeout=10).raise_for_status()
    requests.get(cloudrepo.index_url.rpartition("/")[0] + "/elsewhere/secret/", timeout=10)
    here = pathlib.Path(__file__).parent
    (pid_file,) = here.glob(".pytest_cache/d/.xprocess/*/xprocess.PID")
    server = psutil.Process(int(pid_file.read_text()))
    server.kill()
    server.wait(60)
    cloudrepo.files("demo")
"""
    )
    outcome = suite.run(workers)
    assert outcome.counts() == {"failed": 1}, outcome
    assert re.search(r"ServerError: the index server at \S+ did not respond: \S+", outcome.output)
    section = outcome.output.partition("cloudrepo: requests to")[2]
    assert "The end of the server's log:" in section
    assert re.search(r"/repositories/test_dies-\w+/demo/ 404", section)
    assert "/secret/" not in section


def test_only_the_end_of_a_long_log_is_shown(tmp_path: Path) -> None:
    class Gone:
        name = "mine"

        @property
        def requests(self) -> object:
            raise ServerError("the server did not respond")

    (tmp_path / "xprocess.log").write_text(
        "".join(
            f"GET /repositories/mine/{number}\nGET /repositories/mine-too/{number}\n"
            for number in range(100)
        )
        + "Segmentation fault\n",
        encoding="utf-8",
    )
    ((title, text),) = report_sections([Gone()], RunFolder(tmp_path))  # type: ignore[list-item]
    assert title == "cloudrepo: requests to mine"
    lines = text.splitlines()
    assert lines[:2] == ["the server did not respond", "The end of the server's log:"]
    assert lines[-2:] == ["GET /repositories/mine/99", "Segmentation fault"]
    assert len(lines) == 32
    assert "mine-too" not in text


@pytest.mark.cloudrepo(overwrite_protection=True)
def test_a_failed_program_lists_only_the_requests_rejected_since_it_started(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, cloudrepo_venv: VirtualEnv
) -> None:
    def send_rejected_request() -> None:
        assert not requests.get(f"{cloudrepo.index_url}/before/", timeout=10).ok

    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    send_rejected_request()
    with pytest.raises(CommandError) as upload:
        cloudrepo.upload(cloudrepo_package("demo", "1.0", requires=["other"]))
    (rejected,) = upload.value.rejected_requests.splitlines()
    assert "409 File already exists" in rejected
    send_rejected_request()
    with pytest.raises(CommandError) as install:
        cloudrepo_venv.install("missing", index=cloudrepo)
    rejected = install.value.rejected_requests
    assert "/missing/" in rejected
    assert "before" not in rejected
    assert "File already exists" not in rejected
    assert "before" in cloudrepo.explain()


def test_rejected_requests_are_found_after_the_journal_was_cleared(cloudrepo: Repository) -> None:
    assert cloudrepo.last_request == 0
    requests.get(f"{cloudrepo.index_url}/first/", timeout=10)
    last_request = cloudrepo.last_request
    assert last_request == 1
    cloudrepo.requests.clear()
    assert cloudrepo.last_request == last_request
    requests.get(f"{cloudrepo.index_url}/second/", timeout=10)
    assert "/second/" in cloudrepo.explain(since=last_request)
    assert cloudrepo.explain(since=cloudrepo.last_request) == ""
    assert cloudrepo.explain(since=None) == ""


SECRETS = """
import pathlib
import pytest

from pytest_cloudrepo import CommandError

def test_all(cloudrepo, cloudrepo_project, cloudrepo_server, cloudrepo_venv):
    password = cloudrepo.password
    index_url = cloudrepo.index_url
    connection = cloudrepo.connection
    environ = cloudrepo.environ
    twine = cloudrepo.environ_for("twine")
    user = cloudrepo_server.create_user(passphrase=f"x{password}")
    pathlib.Path(__file__).with_name("password").write_text(password)
    server = cloudrepo_server
    cloudrepo_venv.install("missing", index=cloudrepo)

def test_upload(cloudrepo, tmp_path):
    pathlib.Path(__file__).with_name("password-2").write_text(cloudrepo.password)
    wrong = tmp_path / "demo-1.0-py3-none-any.whl"
    wrong.write_text("")
    cloudrepo.upload(wrong)

def test_unreachable(cloudrepo, monkeypatch):
    pathlib.Path(__file__).with_name("password-3").write_text(cloudrepo.password)
    monkeypatch.setattr(cloudrepo._api, "url", "http://127.0.0.1:1")
    cloudrepo.files("demo")

def test_compares(cloudrepo):
    pathlib.Path(__file__).with_name("password-4").write_text(cloudrepo.password)
    pathlib.Path(__file__).with_name("password-5").write_text(cloudrepo.index_url)
    assert cloudrepo.password == "guessed"

def test_compares_urls(cloudrepo):
    pathlib.Path(__file__).with_name("password-6").write_text(cloudrepo.password)
    assert cloudrepo.index_url == "http://" + "x" * 60

def test_contains(cloudrepo):
    pathlib.Path(__file__).with_name("password-7").write_text(cloudrepo.password)
    assert "guessed" in cloudrepo.index_url

def test_environ(cloudrepo):
    pathlib.Path(__file__).with_name("password-8").write_text(cloudrepo.password)
    assert cloudrepo.environ == {}
"""


@pytest.mark.parametrize("more", [(), ("--full-trace", "-vv")], ids=" ".join)
def test_no_password_is_shown(suite: Suite, more: tuple[str, ...]) -> None:
    suite.write(test_it=SECRETS)
    outcome = suite.run("--showlocals", "-p", "no:xdist", "--log-level=DEBUG", *more)
    assert outcome.counts() == {"failed": 7}, outcome
    passwords = suite.read("password*")
    assert len(set(passwords)) == 8
    assert [password for password in passwords if password in outcome.output] == []
    assert "'***'" in outcome.output
