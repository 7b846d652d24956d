"""A repository that is created and filled once, for all pytest-xdist workers of a session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

HEAD = """
import os, pathlib, pytest, time

HERE = pathlib.Path(__file__).parent

def record(what, worker_id):
    with (HERE / f"{what}.txt").open("a") as file:
        file.write(f"{worker_id}\\n")

def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"waited 60 s for {path.name}"
        time.sleep(0.01)
"""


def test_one_worker_fills_the_repository_and_all_workers_read_it(suite: Suite) -> None:
    suite.write(
        test_it=HEAD
        + """
@pytest.fixture(scope="session")
def index(cloudrepo_session, worker_id):
    def seed(repository):
        record("seeded", worker_id)
        repository.publish_all({"demo": {"1.0": [], "2.0": []}})

    return cloudrepo_session.shared_repository("library", seed, public=True)

@pytest.mark.parametrize("number", range(2))
def test_reads_it(index, cloudrepo_package, number, worker_id):
    (HERE / f"reads-{worker_id}").write_text(index.name)
    wait_for(HERE / "reads-gw0")
    wait_for(HERE / "reads-gw1")
    assert index.versions("demo") == ["1.0", "2.0"]
    assert index.settings["public"]
    index.upload(cloudrepo_package(f"other{number}", "1.0"))

def test_fails(index):
    index.explain()
    assert index.name == "another name"
"""
    )
    outcome = suite.run("-n2", "--dist=load")
    assert outcome.counts() == {"passed": 2, "failed": 1}, outcome
    assert len(suite.read("seeded.txt")[0].split()) == 1
    [name] = set(suite.read("reads-gw*"))
    assert re.fullmatch(r"library-[0-9a-f]{10}", name)
    assert f"requests to {name}" in outcome.output
    suite.expect_nothing_left()


def test_another_worker_begins_again_if_the_first_one_crashes(suite: Suite) -> None:
    suite.write(
        test_it=HEAD
        + """
@pytest.fixture(scope="session")
def index(cloudrepo_session, worker_id):
    def seed(repository):
        record("seeded", worker_id)
        assert repository.files("demo") == []
        repository.publish_all({"demo": {"1.0": []}})
        if not (HERE / "crashed").exists():
            (HERE / "crashed").write_text(repository.name)
            os._exit(1)
        repository.publish_all({"demo": {"2.0": []}})

    return cloudrepo_session.shared_repository("library", seed)

@pytest.mark.parametrize("number", range(4))
def test_reads_it(index, cloudrepo_server, number):
    assert index.versions("demo") == ["1.0", "2.0"]
    with pytest.raises(Exception, match="could not be found"):
        cloudrepo_server.repository((HERE / "crashed").read_text())
"""
    )
    outcome = suite.run("-n2")
    assert outcome.counts() == {"passed": 3, "failed": 1}, outcome
    assert len(suite.read("seeded.txt")[0].split()) == 2
    suite.expect_nothing_left()


def test_a_worker_does_not_wait_longer_than_the_timeout(suite: Suite) -> None:
    suite.write(
        test_it=HEAD
        + """
@pytest.mark.parametrize("number", range(2))
def test_waits(cloudrepo_session, number):
    def seed(repository):
        wait_for(HERE / "gave-up")

    try:
        cloudrepo_session.shared_repository("library", seed, timeout=0.2)
    except Exception as error:
        assert "timed out after 0.2 s: another pytest-xdist worker still fills" in str(error)
        (HERE / "gave-up").touch()
"""
    )
    outcome = suite.run("-n2")
    assert outcome.counts() == {"passed": 2}, outcome
    assert (suite.folder / "gave-up").exists()
    suite.expect_nothing_left()


def test_an_error_while_it_is_filled_is_reported_and_the_next_call_begins_again(
    suite: Suite,
) -> None:
    suite.write(
        test_it=HEAD
        + """
def test_it(cloudrepo_session, cloudrepo_server):
    names = []

    def fail(repository):
        names.append(repository.name)
        repository.publish_all({"demo": {"1.0": []}})
        raise ValueError("the seed is broken")

    with pytest.raises(ValueError, match="the seed is broken"):
        cloudrepo_session.shared_repository("a name/with: anything", fail)
    with pytest.raises(Exception, match="could not be found"):
        cloudrepo_server.repository(names[0])
    repository = cloudrepo_session.shared_repository("a name/with: anything", names.append)
    assert repository.files("demo") == []
    assert cloudrepo_session.shared_repository("a name/with: anything", fail) is repository
    assert cloudrepo_session.shared_repository("another", names.append) is not repository
"""
    )
    outcome = suite.run()
    assert outcome.counts() == {"passed": 1}, outcome
    suite.expect_nothing_left()
