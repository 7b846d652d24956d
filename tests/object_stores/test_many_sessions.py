"""Many runs at once against two servers over one store, some of which do not come to their end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.index import Server
from tests.support.inner_sessions import InnerSession, Suite
from tests.support.object_stores.engines import ADMIN
from tests.support.object_stores.sweep import Sweep

# The same in every run, so that they would meet if they could.
WORKS = """
import pathlib
import pytest

@pytest.mark.parametrize("number", range(6))
def test_works(cloudrepo, cloudrepo_factory, cloudrepo_package, number):
    other = cloudrepo_factory(overwrite_protection=True)
    for repository in (cloudrepo, other):
        pathlib.Path(f"name-{repository.name}").open("x").close()
        assert repository.files("demo") == []
    wheel = cloudrepo_package("demo", f"{number}.0")
    for repository in (cloudrepo, other):
        repository.publish(wheel)
    assert cloudrepo.versions("demo") == other.versions("demo") == [f"{number}.0"]
"""

HOLDS = """
import pathlib, time
import pytest

@pytest.mark.parametrize("number", range(2))
def test_holds(cloudrepo, cloudrepo_package, number):
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    pathlib.Path(f"NAME-{number}").touch()
    deadline = time.monotonic() + 240
    while not pathlib.Path("go-on").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two checks
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
        suite.write(**{f"test_{name}": HOLDS.replace("NAME", name)})
    suite.write(test_works=WORKS)
    yield suite
    suite.close()


def made(server: Server) -> dict[str, str]:
    """When each repository and each user was made."""
    repositories = server.done("GET", "/repositories")["repositories"]
    users = server.done("GET", "/users")["users"]
    return {each.get("name", each.get("email")): each["created"] for each in repositories + users}


def seconds_since(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
def test_runs_do_not_meet_and_what_a_killed_one_left_goes_by_age(
    one: Server, other: Server, suite: Suite, sweep: Sweep
) -> None:
    def start(module: str, server: Server) -> InnerSession:
        return suite.start(
            f"--cloudrepo-url={server.url}", "-n2", f"test_{module}.py", environ=ADMIN
        )

    def wait_for(module: str) -> None:
        suite.wait_for(
            lambda: len(list(suite.folder.glob(f"{module}-?"))) == 2,
            f"both tests of the run {module}",
            seconds=240,
        )

    killed, interrupted = start("killed", one), start("interrupted", other)
    works = [start("works", server) for server in (one, other, one)]
    wait_for("killed")
    wait_for("interrupted")
    killed.signal("SIGKILL", whole_group=True)
    interrupted.signal("SIGINT", whole_group=True)
    for run in works:
        outcome = run.wait()
        assert outcome.counts() == {"passed": 6}, outcome
    # Each name was taken by one test of one run.
    assert len(list(suite.folder.glob("name-*"))) == 3 * 6 * 2
    assert interrupted.wait().status == pytest.ExitCode.INTERRUPTED

    left = made(other)
    assert Counter("@" in name for name in left) == {False: 2, True: 2}
    long = start("long", other)
    wait_for("long")
    in_use = made(one).items() - left.items()
    between = (
        min(map(seconds_since, left.values())) + max(seconds_since(at) for _, at in in_use)
    ) / 2
    swept = one.done("POST", "/sweep", {"runs_older_than": between})
    assert swept == {"runs": 1, "repositories": 2, "users": 2}
    assert made(other).items() == in_use
    sweep("1d")

    (suite.folder / "go-on").touch()
    outcome = long.wait()
    assert outcome.counts() == {"passed": 2}, outcome
    assert made(one) == made(other) == {}
    sweep()
    assert sweep.keys == set()
