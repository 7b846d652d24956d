"""Scenarios in the format of packse, resolved by real resolvers."""

from __future__ import annotations

import json
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from pytest_cloudrepo._programs import command
from pytest_cloudrepo.errors import CloudRepoError, ScenarioError
from pytest_cloudrepo.scenario import read_scenario

if TYPE_CHECKING:
    from pytest_cloudrepo import Repository, Scenario, VirtualEnvFactory

SCENARIOS = Path(__file__).parent / "scenarios"
TIMEOUT = 120.0

# Scenarios that need only this Python and this platform.
INSTALLABLE = sorted(path.stem for path in SCENARIOS.glob("*.toml") if path.stem != "fork")

MINIMAL = """
name = "minimal"
[root]
requires = ["app"]
[expected]
satisfiable = true
[packages.app.versions."1.0"]
requires = ["other"]
"""


def installer_options(scenario: Scenario) -> list[str]:
    """Return the scenario's options that pip and uv have in common."""
    options = scenario.resolver_options
    return [
        *(f"--only-binary={name}" for name in options.no_build),
        *(f"--no-binary={name}" for name in options.no_binary),
    ]


def check_resolution(
    scenario: Scenario,
    repository: Repository,
    factory: VirtualEnvFactory,
    installer: Literal["pip", "uv"],
) -> None:
    """Check that an installer finds the expected versions of the scenario."""
    prereleases = {"pip": "--pre", "uv": "--prerelease=allow"}[installer]
    venv = factory(pip=installer == "pip")
    result = venv.install(
        *scenario.root,
        *installer_options(scenario),
        *([prereleases] if scenario.resolver_options.prereleases else []),
        index=repository,
        installer=installer,
        check=False,
    )
    assert result.ok is scenario.expected.satisfiable, result.output
    versions = {name: venv.version(name) for name in scenario.packages}
    assert versions == {name: scenario.expected.packages.get(name) for name in scenario.packages}


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("name", INSTALLABLE)
def test_a_resolver_finds_the_expected_versions(
    cloudrepo: Repository,
    cloudrepo_venv_factory: VirtualEnvFactory,
    name: str,
    installer: Literal["pip", "uv"],
) -> None:
    scenario = cloudrepo.load_scenario(SCENARIOS / f"{name}.toml")
    assert scenario.name == name
    check_resolution(scenario, cloudrepo, cloudrepo_venv_factory, installer)


@pytest.mark.parametrize("name", ["post-release", "not-there"])
def test_a_json_file_can_contain_several_scenarios(
    cloudrepo: Repository, cloudrepo_venv_factory: VirtualEnvFactory, name: str
) -> None:
    scenario = cloudrepo.load_scenario(str(SCENARIOS / "many.json"), name=name)
    assert scenario.name == name
    check_resolution(scenario, cloudrepo, cloudrepo_venv_factory, "uv")


def test_uv_resolves_several_platforms_at_once(cloudrepo: Repository, tmp_path: Path) -> None:
    scenario = cloudrepo.load_scenario(SCENARIOS / "fork.toml")
    requirements = tmp_path / "requirements.in"
    requirements.write_text("\n".join(scenario.root), encoding="utf-8")
    result = command.run(
        [
            *(sys.executable, "-m", "uv", "pip", "compile", "--no-annotate", "--no-header"),
            *("--universal", "--python-version", scenario.environment.python, requirements),
        ],
        environ=cloudrepo.environ_for("uv"),
        cwd=tmp_path,
        timeout=TIMEOUT,
    )
    assert result.stdout.splitlines() == [
        "app==1.0 ; sys_platform == 'darwin'",
        "app==2.0 ; sys_platform == 'linux'",
        f"lib=={scenario.expected.packages['lib']}",
    ]


def test_a_scenario_has_the_values_of_its_file() -> None:
    scenario = read_scenario(SCENARIOS / "fork.toml")
    assert scenario.root == (
        "app>=2; sys_platform == 'linux'",
        "app<2; sys_platform == 'darwin'",
        "lib",
    )
    assert scenario.description is not None
    assert scenario.description.startswith("Resolved for all platforms")
    assert scenario.resolver_options.universal
    assert (scenario.expected.satisfiable, scenario.expected.packages) == (True, {"lib": "1.0"})
    assert list(scenario.packages) == ["app", "lib"]
    with pytest.raises(FrozenInstanceError):
        scenario.name = "other"  # type: ignore[misc]  # the mistake under test


def test_missing_values_have_the_defaults_of_packse(cloudrepo: Repository, tmp_path: Path) -> None:
    path = tmp_path / "minimal.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    scenario = cloudrepo.load_scenario(path)
    assert scenario.environment.python == "3.12"
    assert scenario.environment.additional_python == ()
    assert scenario.requires_python == ">=3.12"
    assert scenario.expected.packages == {}
    assert not scenario.resolver_options.prereleases
    assert cloudrepo.files("app") == ["app-1.0-py3-none-any.whl", "app-1.0.tar.gz"]


def test_a_wheel_is_published_for_each_tag(cloudrepo: Repository) -> None:
    cloudrepo.load_scenario(SCENARIOS / "wheels-for-others.toml")
    assert [name for name in cloudrepo.files("app") if "-2.0-" in name] == [
        "app-2.0-py3-none-macosx_10_0_ppc64.whl",
        "app-2.0-py3-none-manylinux_2_17_s390x.manylinux2014_s390x.whl",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[root]", "colour = 1\n[root]", "unknown key 'colour'; the keys are description, en"),
        ('requires = ["app"]', 'requirs = ["app"]', "root: unknown key 'requirs'; the keys are"),
        ("satisfiable = true", "", "expected: Object missing required field `satisfiable`"),
        ("satisfiable = true", "satisfiable = 1", "expected: Expected `bool`, got `int`"),
        ('requires = ["other"]', "yankd = true", "packages.app.1.0: unknown key 'yankd'"),
        ('requires = ["other"]', "yanked = 'x'", "packages.app.1.0: Expected `bool`, got `str`"),
        ('requires = ["other"]', "requires = ['b<']", "app 1.0: invalid requirement 'b<'"),
        ('requires = ["other"]', "wheel_tags = ['x']", "app 1.0: invalid wheel tag 'x'"),
        ('requires = ["app"]', 'requires = ["app>"]', "invalid requirement 'app>'"),
        ("app.versions", "app.variants", "packages.app: unknown key 'variants'"),
        ('"1.0"', '"one"', "app one: invalid version 'one'"),
        ('name = "minimal"', "", "Object missing required field `name`"),
        ('name = "minimal"', 'name = "minimal"\nexpected = 1', "Cannot"),
        ("[root]", "[root", "at line 3"),
    ],
)
def test_an_error_in_a_toml_file_is_reported_with_its_location(
    cloudrepo: Repository, tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "invalid.toml"
    assert old in MINIMAL
    path.write_text(MINIMAL.replace(old, new), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        cloudrepo.load_scenario(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert isinstance(caught.value, CloudRepoError)
    assert cloudrepo.files("app") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "the names are (none)"),
        (
            '[{"name": "a"}, {"name": "b"}]',
            "contains 2 scenarios: choose one by its name; the names are a, b",
        ),
        ("[1]", "expected a table or object, not 1"),
        ('{"name": "a", "root": [], "expected": {}}', "Expected `object`, got `array`"),
        ("{", "line 1"),
    ],
)
def test_an_error_in_a_json_file_is_reported_with_its_location(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "invalid.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"invalid\.json: ") as caught:
        read_scenario(path)
    assert message in str(caught.value)


def test_an_unknown_scenario_name_is_rejected() -> None:
    names = [each["name"] for each in json.loads((SCENARIOS / "many.json").read_text("utf-8"))]
    with pytest.raises(
        ScenarioError, match=f"scenario 'x' not found; the names are {', '.join(names)}"
    ):
        read_scenario(SCENARIOS / "many.json", name="x")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.toml", "cannot be read: No such file"),
        ("some.yaml", "end with .toml or .json"),
        ("bytes.toml", "utf-8"),
    ],
)
def test_an_unreadable_file_is_reported(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match=name) as caught:
        read_scenario(tmp_path / name)
    assert message in str(caught.value)
