"""What the fixtures give, and what the marker and the ini file say about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from pytest_cloudrepo import (
        ProjectFactory,
        Repository,
        RepositoryFactory,
        Server,
        VirtualEnv,
        VirtualEnvFactory,
    )
    from tests.support.inner_sessions import Suite


def test_a_repository_is_empty_and_private(cloudrepo: Repository) -> None:
    assert cloudrepo.files("demo") == []
    assert cloudrepo.versions("demo") == []
    assert cloudrepo.requests == []
    assert requests.get(cloudrepo.url + "/", timeout=10).status_code == 401
    assert requests.get(cloudrepo.index_url + "/", timeout=10).status_code == 200


@pytest.mark.parametrize("word", ["Größe", "a b", "x" * 50])
def test_a_repository_is_named_after_its_test(cloudrepo: Repository, word: str) -> None:
    del word
    assert re.fullmatch(r"[a-z0-9_-]{1,32}", cloudrepo.name)
    assert cloudrepo.name.startswith("test_a_repository")
    assert cloudrepo.url.endswith(f"/repositories/{cloudrepo.name}")
    assert cloudrepo.username == f"{cloudrepo.name}@example.com"


def test_two_repositories_share_neither_name_nor_login(
    cloudrepo: Repository, cloudrepo_factory: RepositoryFactory
) -> None:
    other = cloudrepo_factory()
    assert other.name != cloudrepo.name
    assert other.username != cloudrepo.username
    assert other.password != cloudrepo.password


def test_the_server_is_the_repositories_server(
    cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    assert cloudrepo.url.startswith(f"{cloudrepo_server.url}/repositories/")


@pytest.mark.cloudrepo(overwrite_protection=True)
class TestMarker:
    def test_it_says_what_the_repository_is_like(self, cloudrepo: Repository) -> None:
        assert cloudrepo.overwrite_protection

    @pytest.mark.cloudrepo(overwrite_protection=False)
    def test_the_closest_one_wins(self, cloudrepo: Repository) -> None:
        assert not cloudrepo.overwrite_protection

    def test_it_says_nothing_of_further_repositories(
        self, cloudrepo_factory: RepositoryFactory
    ) -> None:
        assert not cloudrepo_factory().overwrite_protection
        assert cloudrepo_factory(overwrite_protection=True).overwrite_protection


def test_without_a_marker_overwriting_is_allowed(cloudrepo: Repository) -> None:
    assert not cloudrepo.overwrite_protection


def test_a_setting_that_is_none_is_refused_by_name(cloudrepo_factory: RepositoryFactory) -> None:
    with pytest.raises(TypeError, match=r"'overwrit'; there are dialect, .*overwrite_protection"):
        cloudrepo_factory(overwrit=True)  # type: ignore[call-arg] # the mistake that is tested


def test_a_marker_that_is_wrong_is_an_error_at_setup(suite: Suite) -> None:
    suite.write(
        test_it="""
import pytest

@pytest.mark.cloudrepo(overwrite_protektion=True)
def test_typo(cloudrepo): pass

@pytest.mark.cloudrepo(True)
def test_positional(cloudrepo): pass

@pytest.mark.cloudrepo(dialect="klingon")
def test_value(cloudrepo): pass

@pytest.mark.cloudrepo(overwrite_protection="yes")
def test_type(cloudrepo): pass
"""
    )
    outcome = suite.run("--strict-markers")
    assert outcome.counts() == {"errors": 4}, outcome
    assert "unknown setting 'overwrite_protektion'; there are" in outcome.output
    assert "keyword arguments only" in outcome.output
    assert "klingon" in outcome.output
    assert (
        "the marker cloudrepo: overwrite_protection is True or False, not 'yes'" in outcome.output
    )


def test_the_ini_file_says_what_repositories_are_like_otherwise(suite: Suite) -> None:
    (suite.folder / "pytest.ini").write_text(
        "[pytest]\ncloudrepo_overwrite_protection = true\n", encoding="utf-8"
    )
    suite.write(
        test_it="""
import pytest

def test_ini(cloudrepo, cloudrepo_factory):
    assert cloudrepo.overwrite_protection
    assert cloudrepo_factory().overwrite_protection
    assert not cloudrepo_factory(overwrite_protection=False).overwrite_protection

@pytest.mark.cloudrepo(overwrite_protection=False)
def test_marker(cloudrepo):
    assert not cloudrepo.overwrite_protection
"""
    )
    outcome = suite.run()
    assert outcome.counts() == {"passed": 2}, outcome
    assert "cloudrepo: overwrite protection on" in outcome.output


def test_a_command_that_takes_too_long_is_stopped(suite: Suite) -> None:
    suite.write(
        test_it="""
import pytest
from pytest_cloudrepo import CommandTimeout

def test_it(cloudrepo):
    with pytest.raises(CommandTimeout, match="0.01 s"):
        cloudrepo.upload(__file__)
"""
    )
    outcome = suite.run("-o", "cloudrepo_command_timeout=0.01")
    assert outcome.counts() == {"passed": 1}, outcome


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "cloudrepo_startup_timeout=soon"], "cloudrepo_startup_timeout"),
        (["-o", "cloudrepo_command_timeout=0"], "cloudrepo_command_timeout must be more than 0"),
        (["--cloudrepo-url=example.com"], "--cloudrepo-url takes an http or https URL"),
        (["--cloudrepo-url=http://127.0.0.1:1/repositories/x"], "not a repository's: http"),
        (["--cloudrepo-url=http://me:secret@127.0.0.1:1"], "--cloudrepo-url takes no login"),
        (["--cloudrepo-url=http://127.0.0.1:1", "--cloudrepo-keep"], "--cloudrepo-keep"),
    ],
)
def test_an_option_that_is_wrong_is_a_usage_error(
    suite: Suite, arguments: list[str], said: str
) -> None:
    outcome = suite.run(*arguments)
    assert outcome.status == pytest.ExitCode.USAGE_ERROR, outcome
    assert said in outcome.output
    assert "Traceback" not in outcome.output
    assert "secret" not in outcome.output


def test_the_header_says_nothing_where_nothing_is_configured(suite: Suite) -> None:
    suite.write(test_it="def test_nothing(): pass\n")
    assert "cloudrepo:" not in suite.run().output
    assert "cloudrepo: a server of this run's own" in suite.run("-v").output


def test_a_package_goes_all_the_way(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, cloudrepo_venv: VirtualEnv
) -> None:
    cloudrepo.upload(*cloudrepo_project("demo", "1.0").build())
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.version("demo") == "1.0"
    assert [request.filename for request in cloudrepo.requests.downloads("Demo")] == [
        "demo-1.0-py3-none-any.whl"
    ]


def test_environments_and_projects_of_one_test_are_apart(
    cloudrepo_venv: VirtualEnv,
    cloudrepo_venv_factory: VirtualEnvFactory,
    cloudrepo_project: ProjectFactory,
) -> None:
    assert cloudrepo_venv_factory(pip=False).python != cloudrepo_venv.python
    first, second = (cloudrepo_project("demo", "1.0") for _ in range(2))
    assert first.build(sdist=False) != second.build(sdist=False)


def test_the_folders_of_a_test_go_when_it_has_passed_and_stay_when_not(suite: Suite) -> None:
    suite.write(
        test_it="""
def test_passes(cloudrepo, cloudrepo_project): cloudrepo_project("demo", "1.0")
def test_fails(cloudrepo, cloudrepo_project): assert not cloudrepo_project("demo", "2.0")
"""
    )
    outcome = suite.run("--basetemp=base")
    assert outcome.counts() == {"passed": 1, "failed": 1}, outcome
    (project,) = suite.folder.glob("base/cloudrepo0/*/project-0")
    assert "2.0" in (project / "pyproject.toml").read_text(encoding="utf-8")
