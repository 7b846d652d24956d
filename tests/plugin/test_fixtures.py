"""The fixtures, and the effect of the marker, the ini keys and the options on them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

from pytest_cloudrepo import settings

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


def test_two_repositories_have_different_names_and_credentials(
    cloudrepo: Repository, cloudrepo_factory: RepositoryFactory
) -> None:
    other = cloudrepo_factory()
    assert other.name != cloudrepo.name
    assert other.username != cloudrepo.username
    assert other.password != cloudrepo.password


def test_the_repository_is_on_the_server_of_the_session(
    cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    assert cloudrepo.url.startswith(f"{cloudrepo_server.url}/repositories/")


@pytest.mark.cloudrepo(overwrite_protection=True)
class TestMarker:
    def test_the_marker_sets_the_settings_of_the_repository(self, cloudrepo: Repository) -> None:
        assert cloudrepo.overwrite_protection

    @pytest.mark.cloudrepo(overwrite_protection=False)
    def test_the_closest_marker_applies(self, cloudrepo: Repository) -> None:
        assert not cloudrepo.overwrite_protection

    def test_the_marker_does_not_apply_to_cloudrepo_factory(
        self, cloudrepo_factory: RepositoryFactory
    ) -> None:
        assert not cloudrepo_factory().overwrite_protection
        assert cloudrepo_factory(overwrite_protection=True).overwrite_protection


def test_without_a_marker_overwriting_is_allowed(cloudrepo: Repository) -> None:
    assert not cloudrepo.overwrite_protection


def test_an_unknown_setting_is_rejected(cloudrepo_factory: RepositoryFactory) -> None:
    with pytest.raises(
        TypeError, match=r"'overwrit'; the settings are anonymous, dialect, .*overwrite_protection"
    ):
        cloudrepo_factory(overwrit=True)  # type: ignore[call-arg] # tests the error


def test_all_lists_of_settings_are_the_same() -> None:
    names = list(settings.RepositorySettings.__annotations__)
    assert names == list(settings.SETTINGS)


def test_pytest_lists_each_setting_of_the_marker_with_its_default_and_its_effect(
    suite: Suite,
) -> None:
    outcome = suite.run("--markers")
    lines = outcome.output.splitlines()
    assert any(line.startswith("@pytest.mark.cloudrepo(**settings): ") for line in lines)
    for name, setting in settings.SETTINGS.items():
        assert f"    {name}={setting.default!r}: {setting.help}" in lines


def test_an_invalid_marker_is_an_error_at_setup(suite: Suite) -> None:
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
    assert (
        "test_it.py:4: invalid marker cloudrepo: unknown setting 'overwrite_protektion' "
        "(did you mean 'overwrite_protection'?); the settings are anonymous, dialect, "
        in outcome.output
    )
    assert (
        "test_it.py:7: invalid marker cloudrepo: it takes keyword arguments only" in outcome.output
    )
    assert "klingon" in outcome.output
    assert (
        "test_it.py:13: invalid marker cloudrepo: overwrite_protection must be True or False, "
        "not 'yes'" in outcome.output
    )


def test_the_error_about_an_invalid_marker_names_the_line_of_the_marker(
    suite: Suite,
) -> None:
    suite.write(
        test_it="""
import pytest

pytestmark = [pytest.mark.cloudrepo(dialekt="modern")]

def test_in_the_module(cloudrepo): pass

@pytest.mark.cloudrepo(
    publik=True,
)
class TestInTheClass:
    @pytest.mark.parametrize("number", [1])
    def test_it(self, cloudrepo, number): pass

    @pytest.mark.skipif(False, reason="never")
    @pytest.mark.cloudrepo(Public=True)
    def test_own(self, cloudrepo): pass

def test_after_the_class(cloudrepo): pass

def test_of_a_hook(cloudrepo): pass
""",
        conftest="""
import pytest

def pytest_collection_modifyitems(items):
    items[-1].add_marker(pytest.mark.cloudrepo(rulez=None), append=False)
""",
    )
    outcome = suite.run()
    found = re.findall(r"^test_it.py:(\d+): invalid .*mean '(\w+)'", outcome.output, re.MULTILINE)
    assert found == [
        ("4", "dialect"),
        ("8", "public"),
        ("16", "public"),
        ("4", "dialect"),
        ("21", "rules"),
    ], outcome


def test_the_ini_key_is_the_default_for_overwrite_protection(suite: Suite) -> None:
    (suite.folder / "pytest.ini").write_text(
        "[pytest]\ncloudrepo_overwrite_protection = true\n", encoding="utf-8"
    )
    suite.write(
        test_it="""
import pytest

def test_ini(cloudrepo, cloudrepo_factory, cloudrepo_session):
    assert cloudrepo.overwrite_protection
    for create in (cloudrepo_factory, cloudrepo_session.repository):
        assert create().overwrite_protection
        assert not create(overwrite_protection=False).overwrite_protection

@pytest.mark.cloudrepo(overwrite_protection=False)
def test_marker(cloudrepo):
    assert not cloudrepo.overwrite_protection
"""
    )
    outcome = suite.run()
    assert outcome.counts() == {"passed": 2}, outcome
    assert "cloudrepo: overwrite protection on" in outcome.output


def test_a_program_that_times_out_is_stopped(suite: Suite) -> None:
    suite.write(
        test_it="""
import pytest
from pytest_cloudrepo import CommandTimeout

def test_it(cloudrepo, cloudrepo_package):
    cloudrepo.fault("latency", seconds=60)
    with pytest.raises(CommandTimeout, match="0.5 s"):
        cloudrepo.upload(cloudrepo_package("demo", "1.0"))
"""
    )
    outcome = suite.run("-o", "cloudrepo_command_timeout=0.5")
    assert outcome.counts() == {"passed": 1}, outcome


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "cloudrepo_startup_timeout=soon"], "cloudrepo_startup_timeout"),
        (["-o", "cloudrepo_command_timeout=0"], "cloudrepo_command_timeout must be greater than 0"),
        (["--cloudrepo-url=example.com"], "--cloudrepo-url must be a valid http or https URL"),
        (["--cloudrepo-url=http://a..b"], "--cloudrepo-url must be a valid http or https URL"),
        (["--cloudrepo-url=http://127.0.0.1:1/repositories/x"], "not of a repository: http"),
        (
            ["--cloudrepo-url=http://me:secret@127.0.0.1:1"],
            "--cloudrepo-url must not contain credentials",
        ),
        (
            ["--cloudrepo-url=http://127.0.0.1:1", "--cloudrepo-keep"],
            "--cloudrepo-keep cannot be combined",
        ),
    ],
)
def test_an_invalid_option_is_a_usage_error(
    suite: Suite, arguments: list[str], message: str
) -> None:
    outcome = suite.run(*arguments)
    assert outcome.status == pytest.ExitCode.USAGE_ERROR, outcome
    assert message in outcome.output
    assert "Traceback" not in outcome.output
    assert "secret" not in outcome.output


def test_the_header_has_no_line_unless_an_option_is_set_or_verbose(suite: Suite) -> None:
    suite.write(test_it="def test_nothing(): pass\n")
    assert "cloudrepo:" not in suite.run().output
    assert "cloudrepo: one index server for this session" in suite.run("-v").output


def test_a_built_package_can_be_uploaded_and_installed(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, cloudrepo_venv: VirtualEnv
) -> None:
    cloudrepo.upload(*cloudrepo_project("demo", "1.0").build())
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.version("demo") == "1.0"
    assert [request.filename for request in cloudrepo.requests.downloads("Demo")] == [
        "demo-1.0-py3-none-any.whl"
    ]


def test_environments_and_projects_of_one_test_have_their_own_folders(
    cloudrepo_venv: VirtualEnv,
    cloudrepo_venv_factory: VirtualEnvFactory,
    cloudrepo_project: ProjectFactory,
) -> None:
    assert cloudrepo_venv_factory(pip=False).python != cloudrepo_venv.python
    first, second = (cloudrepo_project("demo", "1.0") for _ in range(2))
    assert first.build(sdist=False) != second.build(sdist=False)


def test_the_folders_of_a_test_are_deleted_unless_it_failed(suite: Suite) -> None:
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
