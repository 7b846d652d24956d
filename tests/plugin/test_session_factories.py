"""`cloudrepo_session`: repositories, projects, packages and environments for several tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

import pytest_cloudrepo

if TYPE_CHECKING:
    from pytest_cloudrepo import Repository, SessionFactories, VirtualEnv
    from tests.support.inner_sessions import Suite


@pytest.fixture(scope="module")
def library(cloudrepo_session: SessionFactories) -> Repository:
    """A repository with one release."""
    repository = cloudrepo_session.repository(overwrite_protection=True)
    repository.publish(cloudrepo_session.package("demo", "1.0"))
    return repository


@pytest.fixture(scope="class")
def installed(cloudrepo_session: SessionFactories, library: Repository) -> VirtualEnv:
    """An environment with the release."""
    venv = cloudrepo_session.venv()
    venv.install("demo", index=library)
    return venv


class TestSharedObjects:
    def test_each_factory_is_that_of_a_fixture(
        self, cloudrepo_session: SessionFactories, request: pytest.FixtureRequest
    ) -> None:
        assert type(cloudrepo_session) is pytest_cloudrepo.SessionFactories
        for name, fixture in {
            "repository": "cloudrepo_factory",
            "project": "cloudrepo_project",
            "package": "cloudrepo_package",
            "venv": "cloudrepo_venv_factory",
        }.items():
            assert type(getattr(cloudrepo_session, name)) is type(request.getfixturevalue(fixture))

    @pytest.mark.cloudrepo(overwrite_protection=False)
    def test_the_marker_does_not_apply(
        self, library: Repository, cloudrepo: Repository, installed: VirtualEnv
    ) -> None:
        assert library.overwrite_protection
        assert not cloudrepo.overwrite_protection
        assert installed.version("demo") == "1.0"

    def test_a_shared_environment_can_install_from_the_repository_of_a_test(
        self, cloudrepo: Repository, installed: VirtualEnv
    ) -> None:
        cloudrepo.publish_all({"other": {"1.0": []}})
        installed.install("other", index=cloudrepo)
        assert installed.version("demo") == installed.version("other") == "1.0"

    def test_a_test_reads_its_own_requests_to_a_shared_repository(
        self, library: Repository
    ) -> None:
        requests.get(f"{library.index_url}/demo/", timeout=10)
        before = library.last_request
        assert before
        requests.get(f"{library.index_url}/missing/", timeout=10)
        assert [request.project for request in library.requests_since(before)] == ["missing"]


SCOPES = """
import unittest
import pytest

def record(name):
    with open("made.txt", "a") as file:
        file.write(name + " ")

@pytest.fixture(scope="session")
def of_session(cloudrepo_session):
    record("session")
    return cloudrepo_session.repository()

@pytest.fixture(scope="module")
def of_module(cloudrepo_session, of_session):
    record("module")
    of_session.publish(*cloudrepo_session.project("demo", "1.0").build(sdist=False))
    return of_session

@pytest.fixture(scope="class", params=["1.0", "2.0"])
def of_class(request, cloudrepo_session):
    record(f"class-{request.param}")
    repository = cloudrepo_session.repository()
    repository.publish(cloudrepo_session.package("other", request.param))
    return repository

class TestParametrized:
    def test_first(self, of_class, of_module):
        assert len(of_class.versions("other")) == 1
        assert of_module.versions("demo") == ["1.0"]

    @pytest.mark.parametrize("number", range(3))
    def test_second(self, of_class, number):
        assert len(of_class.versions("other")) == 1

class TestUnit(unittest.TestCase):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _shared(cls, cloudrepo_session, of_module):
        record("unittest")
        cls.venv = cloudrepo_session.venv(pip=False)
        cls.repository = of_module

    def test_first(self):
        assert self.venv.version("demo") is None
        assert self.repository.versions("demo") == ["1.0"]

    def test_second(self):
        assert self.venv.python.exists()
"""


def test_each_object_is_created_once_in_the_scope_of_its_fixture(suite: Suite) -> None:
    suite.write(test_it=SCOPES)
    outcome = suite.run("--basetemp=base")
    assert outcome.counts() == {"passed": 10}, outcome
    made = (suite.folder / "made.txt").read_text(encoding="utf-8").split()
    assert sorted(made) == ["class-1.0", "class-2.0", "module", "session", "unittest"]
    assert list(suite.folder.glob("base/cloudrepo0/*")) == []
    suite.expect_nothing_left()


def test_each_xdist_worker_has_its_own_objects(suite: Suite) -> None:
    suite.write(
        test_it="""
import pathlib
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.fixture(scope="module")
def shared(cloudrepo_session, worker_id):
    repository = cloudrepo_session.repository()
    (HERE / f"made-{worker_id}").write_text(repository.name)
    return repository

@pytest.mark.parametrize("number", range(2))
def test_uses_it(shared, number):
    assert shared.files("demo") == []
"""
    )
    outcome = suite.run("-n2")
    assert outcome.counts() == {"passed": 2}, outcome
    assert len(set(suite.read("made-*"))) == 2
    suite.expect_nothing_left()


def test_a_failed_test_shows_its_requests_to_the_repositories_of_its_fixtures(
    suite: Suite,
) -> None:
    suite.write(
        test_it="""
import pytest
import requests

def get(repository, path):
    requests.get(f"{repository.index_url}/{path}/", timeout=10)

@pytest.fixture(scope="module")
def library(cloudrepo_session):
    repository = cloudrepo_session.repository()
    cloudrepo_session.package("demo", "1.0")
    get(repository, "while-filled")
    return repository

@pytest.fixture(scope="module")
def unused(cloudrepo_session):
    return cloudrepo_session.repository()

def test_first(library, unused):
    get(library, "of-first")
    assert 0

def test_passes(library):
    get(library, "of-passed")

def test_second(library, cloudrepo):
    get(library, "of-second")
    assert 0

def test_without_it(cloudrepo):
    assert 0

def test_creates_its_own(cloudrepo_session):
    get(cloudrepo_session.repository(), "of-own")
    assert 0

@pytest.fixture(scope="session")
def of_server(cloudrepo_server):
    return cloudrepo_server.create_repository("wide-0123456789")

def test_of_server(of_server):
    get(of_server, "before")

def test_fails_later(of_server, cloudrepo_server):
    get(of_server, "of-later")
    get(cloudrepo_server.repository("wide-0123456789"), "of-found")
    assert 0
"""
    )
    outcome = suite.run("--basetemp=base")
    assert outcome.counts() == {"passed": 2, "failed": 5}, outcome
    reports = re.split(r"^_+ (test_\w+) _+$", outcome.output, flags=re.MULTILINE)
    shown = {
        name: (
            set(re.findall(r"requests to (\w+)-[0-9a-f]{10}", report)),
            set(re.findall(r"GET +/([\w-]+)/", report)),
        )
        for name, report in zip(reports[1::2], reports[2::2], strict=True)
    }
    assert shown == {
        "test_first": ({"library", "unused"}, {"while-filled", "of-first"}),
        "test_second": ({"library", "test_second"}, {"of-second"}),
        "test_without_it": ({"test_without_it"}, set()),
        "test_creates_its_own": ({"test_creates_its_own"}, {"of-own"}),
        "test_fails_later": ({"wide"}, {"of-later", "of-found"}),
    }
    # The shared folders are kept too, because a test failed.
    assert list(suite.folder.glob("base/cloudrepo0/*/packages/0/demo-1.0-py3-none-any.whl"))


class TestEnvironmentOfATest:
    """Programs of shared objects see the environment variables of the test that runs them."""

    PRINT = "import os; print(os.environ.get('SHARED_TEST'), os.environ.get('TWINE_PASSWORD'))"

    @pytest.fixture(scope="class")
    @classmethod
    def venv(cls, cloudrepo_session: SessionFactories) -> VirtualEnv:
        return cloudrepo_session.venv(pip=False)

    @pytest.mark.parametrize("value", ["first", "second", None])
    def test_a_variable_is_visible_only_in_the_test_that_sets_it(
        self,
        venv: VirtualEnv,
        library: Repository,
        monkeypatch: pytest.MonkeyPatch,
        value: str | None,
    ) -> None:
        if value is not None:
            monkeypatch.setenv("SHARED_TEST", value)
            monkeypatch.setenv("TWINE_PASSWORD", "from the user")
        assert venv.run("-c", self.PRINT).stdout == f"{value} None\n"
        assert library.run(venv.python, "-c", self.PRINT).stdout == f"{value} ***\n"

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, cloudrepo_session: SessionFactories) -> pytest_cloudrepo.Project:
        """A project whose version is in an environment variable."""
        setup = (
            "import os\nfrom setuptools import setup\nsetup(name='demo', version=os.environ['V'])\n"
        )
        return cloudrepo_session.project("demo", "0", files={"setup.py": setup}, setup_py=True)

    @pytest.mark.parametrize("version", ["1.0", "2.0"])
    def test_a_build_sees_the_variables_of_the_test_that_builds(
        self, project: pytest_cloudrepo.Project, monkeypatch: pytest.MonkeyPatch, version: str
    ) -> None:
        monkeypatch.setenv("V", version)
        (wheel,) = project.build(sdist=False)
        assert wheel.name == f"demo-{version}-py3-none-any.whl"
