"""Concurrent pytest sessions on two servers that share a store; some sessions are killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.index import Server
from tests.support.inner_sessions import InnerSession, Suite
from tests.support.object_stores.engines import ADMIN
from tests.support.object_stores.sweep import Sweep
from tests.support.platforms import needs_posix

# The same names in every session, so that sessions would collide without unique suffixes.
WORKS = """
import pathlib
import pytest

@pytest.mark.parametrize("number", range(6))
def test_works(cloudrepo, cloudrepo_factory, cloudrepo_package, number):
    second = cloudrepo_factory(overwrite_protection=True)
    for repository in (cloudrepo, second):
        pathlib.Path(f"name-{repository.name}").open("x").close()
        assert repository.files("demo") == []
    wheel = cloudrepo_package("demo", f"{number}.0")
    for repository in (cloudrepo, second):
        repository.publish(wheel)
    assert cloudrepo.versions("demo") == second.versions("demo") == [f"{number}.0"]
"""

WAITS = """
import pathlib, time
import pytest

@pytest.mark.parametrize("number", range(2))
def test_waits(cloudrepo, cloudrepo_package, number):
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    pathlib.Path(f"NAME-{number}").touch()
    deadline = time.monotonic() + 240
    while not pathlib.Path("continue").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two checks of the file
    cloudrepo.publish(cloudrepo_package("demo", "2.0"))
    assert cloudrepo.versions("demo") == ["1.0", "2.0"]
"""


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    suite = Suite(folder)
    for name in ("killed", "interrupted", "long"):
        suite.write(**{f"test_{name}": WAITS.replace("NAME", name)})
    suite.write(test_works=WORKS)
    yield suite
    suite.close()


def creation_times(server: Server) -> dict[str, str]:
    """Return the creation time of each repository and user, by name."""
    repositories = server.api_json("GET", "/repositories")["repositories"]
    users = server.api_json("GET", "/users")["users"]
    return {each.get("name", each.get("email")): each["created"] for each in repositories + users}


def seconds_since(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


@needs_posix("process groups")
def test_sessions_do_not_collide_and_leftovers_of_killed_sessions_are_swept_by_age(
    first_server: Server, second_server: Server, suite: Suite, sweep: Sweep
) -> None:
    def start(module: str, server: Server) -> InnerSession:
        return suite.start(
            f"--cloudrepo-url={server.url}", "-n2", f"test_{module}.py", environ=ADMIN
        )

    def wait_for(module: str) -> None:
        suite.wait_for(
            lambda: len(list(suite.folder.glob(f"{module}-?"))) == 2,
            f"both tests of test_{module}.py",
            seconds=240,
        )

    killed, interrupted = start("killed", first_server), start("interrupted", second_server)
    works = [start("works", server) for server in (first_server, second_server, first_server)]
    wait_for("killed")
    wait_for("interrupted")
    killed.signal("SIGKILL", whole_group=True)
    interrupted.signal("SIGINT", whole_group=True)
    for run in works:
        outcome = run.wait()
        assert outcome.counts() == {"passed": 6}, outcome
    # Every test of every session had repository names of its own.
    assert len(list(suite.folder.glob("name-*"))) == 3 * 6 * 2
    assert interrupted.wait().status == pytest.ExitCode.INTERRUPTED

    leftovers = creation_times(second_server)
    assert Counter("@" in name for name in leftovers) == {False: 2, True: 2}
    long = start("long", second_server)
    wait_for("long")
    in_use = creation_times(first_server).items() - leftovers.items()
    between = (
        min(map(seconds_since, leftovers.values())) + max(seconds_since(at) for _, at in in_use)
    ) / 2
    swept = first_server.api_json("POST", "/sweep", {"runs_older_than": between})
    assert swept == {"runs": 1, "repositories": 2, "users": 2}
    assert creation_times(second_server).items() == in_use
    sweep("1d")

    (suite.folder / "continue").touch()
    outcome = long.wait()
    assert outcome.counts() == {"passed": 2}, outcome
    assert creation_times(first_server) == creation_times(second_server) == {}
    sweep()
    assert sweep.keys == set()
