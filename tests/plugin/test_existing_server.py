"""Servers that outlive a session (`--cloudrepo-keep`) or existed before (`--cloudrepo-url`)."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import psutil
import pytest
import requests
from requests.auth import HTTPBasicAuth

from tests.support.platforms import NEEDS_CERTIFICATES_OF_IP_ADDRESSES, needs_posix
from tests.support.prefix_proxy import running_prefix_proxy
from tests.support.process import ServerProcess, wait_for_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.inner_sessions import Suite

USES = "def test_uses_it(cloudrepo): assert cloudrepo.files('demo') == []\n"
LOGIN = {
    "CLOUDREPO_ADMIN_USERNAME": "Ädmin@example.com",
    "CLOUDREPO_ADMIN_PASSWORD": "påss:wörd 1€",
}


class TestKeep:
    @pytest.mark.parametrize("workers", ["-n0", "-n2"])
    def test_the_server_keeps_running_until_it_is_stopped(self, suite: Suite, workers: str) -> None:
        suite.write(test_it=USES + USES.replace("uses", "also_uses"))
        # The variables are for `--cloudrepo-url`; the session's own server ignores them.
        outcome = suite.run("--cloudrepo-keep", workers, environ=LOGIN)
        assert outcome.counts() == {"passed": 2}, outcome
        shown = dict(
            re.findall(r"^(URL|admin login|to stop it): (.+)$", outcome.output, re.MULTILINE)
        )
        username, password = shown["admin login"].split()
        assert username != LOGIN["CLOUDREPO_ADMIN_USERNAME"]
        response = requests.get(
            f"{shown['URL']}/api/repositories", auth=(username, password), timeout=10
        )
        names = [repository["name"] for repository in response.json()["repositories"]]
        assert sorted(name.rpartition("-")[0] for name in names) == [
            "test_also_uses_it",
            "test_uses_it",
        ]
        (server,) = suite.servers()
        # The next session does not stop it.
        assert suite.run().status == 0
        assert suite.servers() == [server]
        subprocess.run(shlex.split(shown["to stop it"]), check=True)
        server.wait(60)
        # The session after that removes its folders.
        assert suite.run().status == 0
        assert suite.leftovers() == []

    def test_no_server_is_kept_if_none_was_used(self, suite: Suite) -> None:
        suite.write(test_it="def test_nothing(): pass\n")
        outcome = suite.run("--cloudrepo-keep")
        assert "to stop it" not in outcome.output
        assert suite.leftovers() == []


class TestUrl:
    @pytest.fixture
    def url(self, tmp_path: Path) -> Iterator[str]:
        state = tmp_path / "state.json"
        serve = [sys.executable, "-m", "cloudrepo_server", "serve", "--state-file", str(state)]
        serve += ["--owner-pid", str(os.getpid())]
        with subprocess.Popen(
            serve, env={**os.environ, **LOGIN}, stdout=subprocess.DEVNULL
        ) as server:
            yield wait_for_state(state)["url"]
            psutil.Process(server.pid).terminate()

    @staticmethod
    def names(url: str, kind: str) -> list[str]:
        # Encoded here, because requests would encode strings in Latin-1.
        username, password = (value.encode() for value in LOGIN.values())
        login = HTTPBasicAuth(username, password)
        response = requests.get(f"{url}/api/{kind}", auth=login, timeout=10)
        return [each.get("name") or each["email"] for each in response.json()[kind]]

    @pytest.mark.parametrize("workers", ["-n0", "-n2"])
    def test_an_existing_server_is_used_and_left_empty(
        self, suite: Suite, url: str, workers: str
    ) -> None:
        suite.write(
            test_it="""
import pytest

@pytest.fixture(scope="session")
def shared(cloudrepo_server, tmp_path_factory):
    cloudrepo_server.create_user(read_only=True)
    return cloudrepo_server.create_repository()

@pytest.fixture(scope="session")
def of_all_workers(cloudrepo_session):
    return cloudrepo_session.shared_repository(
        "library", lambda repository: repository.publish_all({"demo": {"1.0": []}})
    )

@pytest.fixture(scope="module")
def of_module(cloudrepo_session):
    return cloudrepo_session.repository()

@pytest.mark.parametrize("number", range(4))
def test_uses_it(
    cloudrepo, cloudrepo_factory, cloudrepo_server, shared, of_all_workers, of_module, number
):
    for repository in (cloudrepo_factory(), shared, of_module):
        assert repository.files("demo") == []
    assert of_all_workers.versions("demo") == ["1.0"]
    cloudrepo_server.repository(of_all_workers.name)

def test_fails(cloudrepo):
    cloudrepo.files("demo")
    import requests
    requests.get(cloudrepo.index_url + "/demo/", timeout=10)
    assert 0

def test_deletes_its_own(cloudrepo, cloudrepo_server):
    cloudrepo_server.delete_repository(cloudrepo)
"""
        )
        outcome = suite.run(workers, f"--cloudrepo-url={url}/", environ=LOGIN)
        assert outcome.counts() == {"passed": 5, "failed": 1}, outcome
        assert f"cloudrepo: server {url}" in outcome.output
        assert "GET  /demo/" in outcome.output
        assert suite.leftovers() == []
        assert self.names(url, "repositories") == []
        assert self.names(url, "users") == []

    def test_a_missing_login_is_an_error_that_names_the_variables(self, suite: Suite) -> None:
        suite.write(test_it=USES)
        environ = dict.fromkeys(LOGIN, "")
        outcome = suite.run("--cloudrepo-url=http://127.0.0.1:1", environ=environ)
        assert outcome.counts() == {"errors": 1}, outcome
        assert "set CLOUDREPO_ADMIN_USERNAME and CLOUDREPO_ADMIN_PASSWORD" in outcome.output
        assert "Traceback" not in outcome.output

    @needs_posix("bytes in variables")
    @pytest.mark.parametrize("name", LOGIN)
    def test_a_login_that_is_not_text_is_an_error_that_names_the_variable(
        self, suite: Suite, name: str
    ) -> None:
        suite.write(test_it=USES)
        environ = {**LOGIN, name: "secret\udcff"}
        outcome = suite.run("--cloudrepo-url=http://127.0.0.1:1", environ=environ)
        assert outcome.counts() == {"errors": 1}, outcome
        assert f"the value of {name} is not text in the encoding" in outcome.output
        assert "secret" not in outcome.output
        assert "Traceback" not in outcome.output

    def test_a_rejected_login_is_an_error_without_the_password(
        self, suite: Suite, url: str
    ) -> None:
        suite.write(test_it=USES)
        outcome = suite.run(
            f"--cloudrepo-url={url}",
            environ={**LOGIN, "CLOUDREPO_ADMIN_PASSWORD": "wrong-password"},
        )
        assert outcome.counts() == {"errors": 1}, outcome
        rejected = "rejected the admin login of 'Ädmin@example.com'"
        assert f"cloudrepo: the index server at {url} {rejected}" in outcome.output
        assert "wrong-password" not in outcome.output
        assert "Traceback" not in outcome.output

    def test_an_unreachable_server_is_an_error_with_its_url(self, suite: Suite) -> None:
        suite.write(test_it=USES)
        outcome = suite.run("--cloudrepo-url=http://127.0.0.1:1", environ=LOGIN)
        assert outcome.counts() == {"errors": 1}, outcome
        assert "the index server at http://127.0.0.1:1 did not respond" in outcome.output
        assert "Traceback" not in outcome.output

    def test_a_server_of_another_kind_is_an_error(self, suite: Suite) -> None:
        suite.write(test_it=USES)
        other = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        Thread(target=other.handle_request, daemon=True).start()
        try:
            url = f"http://127.0.0.1:{other.server_port}"
            outcome = suite.run(f"--cloudrepo-url={url}", environ=LOGIN)
        finally:
            other.server_close()
        assert outcome.counts() == {"errors": 1}, outcome
        assert f"cloudrepo: the server at {url} is not a cloudrepo-server: 501" in outcome.output


# An address that is not in NO_PROXY, unlike this machine's usual one.
OTHER_ADDRESS = "127.0.0.2"

UPLOADS_AND_INSTALLS = """
def test_works(cloudrepo, cloudrepo_package, cloudrepo_venv):
    cloudrepo.upload(cloudrepo_package("demo", "1.0"))
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.version("demo") == "1.0"
    program = "import urllib.request; urllib.request.urlopen('http://other.example/')"
    assert not cloudrepo.run("python", "-c", program, check=False).ok
    assert cloudrepo.requests[-1].path == "http://other.example/"
"""


class TestRemote:
    @pytest.fixture
    def state(self, tmp_path: Path) -> Iterator[dict[str, str]]:
        try:
            socket.create_server((OTHER_ADDRESS, 0)).close()
        except OSError:
            pytest.skip(f"this system has no address {OTHER_ADDRESS}")
        state = tmp_path / "state.json"
        serve = [sys.executable, "-m", "cloudrepo_server", "serve", "--state-file", str(state)]
        serve += ["--host", OTHER_ADDRESS, "--tls", str(tmp_path / "ca.pem")]
        serve += ["--owner-pid", str(os.getpid())]
        with subprocess.Popen(
            serve, env={**os.environ, **LOGIN}, stdout=subprocess.DEVNULL
        ) as server:
            yield wait_for_state(state)
            psutil.Process(server.pid).terminate()

    @pytest.mark.parametrize(
        "url", ["url", pytest.param("tls_url", marks=NEEDS_CERTIFICATES_OF_IP_ADDRESSES)]
    )
    def test_programs_reach_a_server_on_another_host(
        self, suite: Suite, state: dict[str, str], url: str
    ) -> None:
        suite.write(test_it=UPLOADS_AND_INSTALLS)
        # As in a company with its own certificate authority.
        trust = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), state["ca"])
        outcome = suite.run(f"--cloudrepo-url={state[url]}", environ={**LOGIN, **trust})
        assert outcome.counts() == {"passed": 1}, outcome


def test_programs_reach_a_server_below_the_path_of_a_proxy(suite: Suite, tmp_path: Path) -> None:
    suite.write(
        test_it="""
import pytest

@pytest.mark.parametrize("installer", [("pip",), ("uv", "pip")])
def test_works(cloudrepo, cloudrepo_package, tmp_path, installer):
    assert "/team/packages/repositories/" in cloudrepo.url
    cloudrepo.upload(cloudrepo_package("demo", "1.0"))
    cloudrepo.run(*installer, "install", "--target", tmp_path, "demo")
    assert (tmp_path / "demo-1.0.dist-info").is_dir()
    assert cloudrepo.versions("demo") == ["1.0"]
"""
    )
    server = ServerProcess(tmp_path / "server", "--behind-proxy", environ=LOGIN)
    with running_prefix_proxy(server.state()["url"], "/team/packages") as proxy:
        outcome = suite.run(f"--cloudrepo-url={proxy.url}", environ=LOGIN)
    assert server.stop() == 0
    assert outcome.counts() == {"passed": 2}, outcome
    assert proxy.outside == []
