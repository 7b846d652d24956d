"""Many runs at once against one server that outlives them all (`--cloudrepo-url`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.inner_sessions import Suite

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")

LOGIN = {
    "CLOUDREPO_ADMIN_USERNAME": "admin@example.com",
    "CLOUDREPO_ADMIN_PASSWORD": "an-admin-password",
}

# The same in every run, so that they would meet if they could.
WORKS = """
import pytest

@pytest.fixture(scope="session")
def shared(cloudrepo_server):
    cloudrepo_server.create_user(read_only=True)
    return cloudrepo_server.create_repository()

@pytest.mark.parametrize("number", range(6))
def test_works(cloudrepo, cloudrepo_factory, cloudrepo_package, shared, number):
    other = cloudrepo_factory(overwrite_protection=True)
    assert cloudrepo.files("demo") == other.files("demo") == []
    cloudrepo.publish(cloudrepo_package("demo", f"{number}.0"))
    assert cloudrepo.versions("demo") == [f"{number}.0"]
    assert other.files("demo") == []
    assert len(cloudrepo.requests) == 0
"""

HOLDS = """
import pathlib, time
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("number", range(2))
def test_NAME(cloudrepo, cloudrepo_server, cloudrepo_package, number):
    cloudrepo_server.create_repository(f"NAME-{number}")
    cloudrepo_server.create_user(f"NAME-{number}@example.org")
    (HERE / f"NAME-{number}").touch()
    deadline = time.monotonic() + 120
    while not (HERE / "go-on").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
"""


@dataclass(frozen=True, slots=True)
class Staging:
    """A server for all runs."""

    url: str

    def api(self, method: str, path: str, json: object = None) -> Any:  # noqa: ANN401 (JSON)
        auth = (LOGIN["CLOUDREPO_ADMIN_USERNAME"], LOGIN["CLOUDREPO_ADMIN_PASSWORD"])
        answer = requests.request(method, f"{self.url}/api{path}", auth=auth, json=json, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def made(self) -> dict[str, str]:
        """When each repository and each user was made."""
        repositories = self.api("GET", "/repositories")["repositories"]
        users = self.api("GET", "/users")["users"]
        return {
            **{each["name"]: each["created"] for each in repositories},
            **{each["email"]: each["created"] for each in users},
        }


@pytest.fixture
def staging(tmp_path: Path, suite: Suite) -> Iterator[Staging]:
    state = tmp_path / "state.json"
    serve = [sys.executable, "-m", "cloudrepo_server", "serve", "--state-file", str(state)]
    serve += ["--data", str(tmp_path / "data"), "--owner-pid", str(os.getpid())]
    with subprocess.Popen(serve, env={**os.environ, **LOGIN}, stdout=subprocess.DEVNULL) as it:
        suite.wait_for(state.exists, "the server")
        yield Staging(json.loads(state.read_text(encoding="utf-8"))["url"])
        psutil.Process(it.pid).terminate()


def seconds_since(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


@posix
def test_a_run_that_is_killed_leaves_what_a_sweep_by_age_removes(
    suite: Suite, staging: Staging
) -> None:
    suite.write(
        test_works=WORKS,
        test_killed=HOLDS.replace("NAME", "killed"),
        test_long=HOLDS.replace("NAME", "long"),
    )
    use = f"--cloudrepo-url={staging.url}"

    killed = suite.start(use, "-n2", "test_killed.py", environ=LOGIN)
    others = [suite.start(use, n, "test_works.py", environ=LOGIN) for n in ("-n0", "-n2", "-n0")]
    suite.wait_until_exists("killed-0")
    suite.wait_until_exists("killed-1")
    killed.signal("SIGKILL", whole_group=True)

    for other in others:
        outcome = other.wait()
        assert outcome.counts() == {"passed": 6}, outcome
    left = staging.made()
    assert len(left) == 10
    assert {name.removeprefix("test_").partition("-")[0] for name in left} == {"killed"}

    long = suite.start(use, "-n2", "test_long.py", environ=LOGIN)
    suite.wait_until_exists("long-0")
    suite.wait_until_exists("long-1")
    in_use = {name: moment for name, moment in staging.made().items() if name not in left}
    assert len(in_use) == len(left)
    between = seconds_since(max(left.values())) / 2 + seconds_since(min(in_use.values())) / 2
    swept = staging.api("POST", "/sweep", {"runs_older_than": between})
    assert swept == {"runs": 1, "repositories": 4, "users": 6}
    assert staging.made() == in_use

    (suite.folder / "go-on").touch()
    outcome = long.wait()
    assert outcome.counts() == {"passed": 2}, outcome
    assert staging.made() == {}


def test_a_run_of_another_kind_is_told_apart(suite: Suite, staging: Staging) -> None:
    """All that one run makes, in whichever worker, bears one name."""
    suite.write(
        test_it="""
import json, os, pathlib

def runs(server):
    return [one["run"] for one in server._api.call("GET", "repositories")["repositories"]]

def test_one(cloudrepo, cloudrepo_server):
    pathlib.Path(f"run-{os.getpid()}").write_text(json.dumps(runs(cloudrepo_server)))

test_two = test_one
"""
    )
    for workers in ("-n2", "-n0"):
        outcome = suite.run(f"--cloudrepo-url={staging.url}", workers, environ=LOGIN)
        assert outcome.counts() == {"passed": 2}, outcome
    told = [set(json.loads(text)) for text in suite.read("run-*")]
    assert len(set().union(*told)) == 2
    assert all(name.startswith("cloudrepo-") for name in set().union(*told))
