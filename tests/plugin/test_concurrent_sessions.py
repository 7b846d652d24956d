"""Many concurrent pytest sessions that share one existing server (`--cloudrepo-url`)."""

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

from tests.support.platforms import needs_posix
from tests.support.process import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.inner_sessions import Suite

posix = needs_posix("process groups")

LOGIN = {
    "CLOUDREPO_ADMIN_USERNAME": "admin@example.com",
    "CLOUDREPO_ADMIN_PASSWORD": "an-admin-password",
}

# Every session uses the same names, so that sessions that are not isolated would conflict.
SHORT_TESTS = """
import pytest

@pytest.fixture(scope="session")
def shared(cloudrepo_server):
    cloudrepo_server.create_user(read_only=True)
    return cloudrepo_server.create_repository()

@pytest.mark.parametrize("number", range(6))
def test_repositories_are_isolated(cloudrepo, cloudrepo_factory, cloudrepo_package, shared, number):
    other = cloudrepo_factory(overwrite_protection=True)
    assert cloudrepo.files("demo") == other.files("demo") == []
    cloudrepo.publish(cloudrepo_package("demo", f"{number}.0"))
    assert cloudrepo.versions("demo") == [f"{number}.0"]
    assert other.files("demo") == []
    assert len(cloudrepo.requests) == 0
"""

BLOCKED_TESTS = """
import pathlib, time
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.mark.parametrize("number", range(2))
def test_NAME(cloudrepo, cloudrepo_server, cloudrepo_package, number):
    cloudrepo_server.create_repository(f"NAME-{number}")
    cloudrepo_server.create_user(f"NAME-{number}@example.org")
    (HERE / f"NAME-{number}").touch()
    deadline = time.monotonic() + 120
    while not (HERE / "continue").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
"""


@dataclass(frozen=True, slots=True)
class SharedServer:
    """A server that all sessions of a test use."""

    url: str

    def api(self, method: str, path: str, json: object = None) -> Any:  # noqa: ANN401 (JSON)
        auth = (LOGIN["CLOUDREPO_ADMIN_USERNAME"], LOGIN["CLOUDREPO_ADMIN_PASSWORD"])
        response = requests.request(
            method, f"{self.url}/api{path}", auth=auth, json=json, timeout=60
        )
        response.raise_for_status()
        return response.json()

    def creation_times(self) -> dict[str, str]:
        """Return the creation time of each repository and each user, by name."""
        repositories = self.api("GET", "/repositories")["repositories"]
        users = self.api("GET", "/users")["users"]
        return {
            **{each["name"]: each["created"] for each in repositories},
            **{each["email"]: each["created"] for each in users},
        }


@pytest.fixture
def shared_server(tmp_path: Path) -> Iterator[SharedServer]:
    state = tmp_path / "state.json"
    serve = [sys.executable, "-m", "cloudrepo_server", "serve", "--state-file", str(state)]
    serve += ["--data", str(tmp_path / "data"), "--owner-pid", str(os.getpid())]
    with subprocess.Popen(serve, env={**os.environ, **LOGIN}, stdout=subprocess.DEVNULL) as process:
        yield SharedServer(wait_for_state(state)["url"])
        psutil.Process(process.pid).terminate()


def seconds_since(time: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()


@posix
def test_a_sweep_removes_only_the_leftovers_of_a_killed_session(
    suite: Suite, shared_server: SharedServer
) -> None:
    suite.write(
        test_short=SHORT_TESTS,
        test_killed=BLOCKED_TESTS.replace("NAME", "killed"),
        test_long=BLOCKED_TESTS.replace("NAME", "long"),
    )
    use_server = f"--cloudrepo-url={shared_server.url}"

    killed = suite.start(use_server, "-n2", "test_killed.py", environ=LOGIN)
    others = [
        suite.start(use_server, workers, "test_short.py", environ=LOGIN)
        for workers in ("-n0", "-n2", "-n0")
    ]
    suite.wait_until_exists("killed-0")
    suite.wait_until_exists("killed-1")
    killed.signal("SIGKILL", whole_group=True)

    for other in others:
        outcome = other.wait()
        assert outcome.counts() == {"passed": 6}, outcome
    leftovers = shared_server.creation_times()
    assert len(leftovers) == 10
    assert {name.removeprefix("test_").partition("-")[0] for name in leftovers} == {"killed"}

    long = suite.start(use_server, "-n2", "test_long.py", environ=LOGIN)
    suite.wait_until_exists("long-0")
    suite.wait_until_exists("long-1")
    in_use = {
        name: time for name, time in shared_server.creation_times().items() if name not in leftovers
    }
    assert len(in_use) == len(leftovers)
    # An age between the two sessions.
    age = seconds_since(max(leftovers.values())) / 2 + seconds_since(min(in_use.values())) / 2
    swept = shared_server.api("POST", "/sweep", {"runs_older_than": age})
    assert swept == {"runs": 1, "repositories": 4, "users": 6}
    assert shared_server.creation_times() == in_use

    (suite.folder / "continue").touch()
    outcome = long.wait()
    assert outcome.counts() == {"passed": 2}, outcome
    assert shared_server.creation_times() == {}


def test_all_workers_of_a_session_use_the_name_of_the_session(
    suite: Suite, shared_server: SharedServer
) -> None:
    suite.write(
        test_it="""
import json, os, pathlib

def session_names(server):
    return [each["run"] for each in server._api.call("GET", "repositories")["repositories"]]

def test_one(cloudrepo, cloudrepo_server):
    pathlib.Path(f"run-{os.getpid()}").write_text(json.dumps(session_names(cloudrepo_server)))

test_two = test_one
"""
    )
    for workers in ("-n2", "-n0"):
        outcome = suite.run(f"--cloudrepo-url={shared_server.url}", workers, environ=LOGIN)
        assert outcome.counts() == {"passed": 2}, outcome
    names = set().union(*(json.loads(text) for text in suite.read("run-*")))
    assert len(names) == 2
    assert all(name.startswith("cloudrepo-") for name in names)
