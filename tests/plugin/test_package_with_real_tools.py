"""Real programs with packages that were written without a build."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_cloudrepo._programs import command
from tests.support.built_archives import members
from tests.support.platforms import NEEDS_VENV
from tests.support.pythons import venv_of_another_python

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_cloudrepo import (
        CommandResult,
        PackageFactory,
        Repository,
        VirtualEnv,
        VirtualEnvFactory,
    )

EACH_KIND = pytest.mark.parametrize("sdist", [False, True], ids=["wheel", "sdist"])
EACH_INSTALLER = pytest.mark.parametrize("installer", ["pip", "uv"])
TIMEOUT = 120.0

OPTIONS: dict[str, Any] = {
    "requires": ["other>=1"],
    "requires_python": ">=3.7",
    "extras": {"Test_it": ['third; python_version > "3"', 'fourth; os_name == "java"']},
    "entry_points": {"console_scripts": {"demo": "demo:main", "run-it": "demo.inner:run"}},
    "files": {
        "demo/__init__.py": "def main():\n    print('main')\n",
        "demo/inner.py": "def run():\n    print('inner')\n",
        "demo/.hidden": "",
        "demo/build/x.txt": "x",
        "tests/data,1.bin": b"\0",
        "demo-1.0.dist-info/licenses/LICENSE": "text",
    },
}


def run_script(venv: VirtualEnv, name: str) -> str:
    return command.run([venv.scripts / name], environ=venv.environ, timeout=TIMEOUT).stdout


@EACH_INSTALLER
@EACH_KIND
def test_a_package_is_installed_from_a_repository(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    cloudrepo_venv_factory: VirtualEnvFactory,
    installer: Literal["pip", "uv"],
    *,
    sdist: bool,
) -> None:
    cloudrepo.publish(
        cloudrepo_package("demo", "1.0", **OPTIONS, sdist=sdist),
        cloudrepo_package("other", "1.0", sdist=sdist),
        cloudrepo_package("third", "1!3.0+local.1", sdist=sdist),
    )
    venv = cloudrepo_venv_factory(pip=installer == "pip")
    venv.install("demo[test-it]", index=cloudrepo, installer=installer)
    names = ("demo", "other", "third", "fourth")
    assert [venv.version(name) for name in names] == ["1.0", "1.0", "1!3.0+local.1", None]
    assert (run_script(venv, "demo"), run_script(venv, "run-it")) == ("main\n", "inner\n")
    assert venv.run("-c", "import other; print(other.__version__)").stdout == "1.0\n"


def test_an_entry_point_of_the_default_module_can_be_run(
    cloudrepo_package: PackageFactory, cloudrepo_venv: VirtualEnv
) -> None:
    wheel = cloudrepo_package(
        "my-demo", "1.0", entry_points={"console_scripts": {"my-demo": "my_demo:main"}}
    )
    cloudrepo_venv.install(wheel)
    assert run_script(cloudrepo_venv, "my-demo") == "my-demo 1.0\n"


@pytest.mark.parametrize("version", ["2.1", "2.4", "2.5"])
@EACH_KIND
def test_twine_check_reports_no_problem(
    cloudrepo_package: PackageFactory, cloudrepo: Repository, version: str, *, sdist: bool
) -> None:
    paths = [
        cloudrepo_package("demo", "1.0", **OPTIONS, metadata_version=version, sdist=sdist),
        cloudrepo_package("De.mo", "1.0", metadata_version=version, sdist=sdist),
    ]
    command.run(
        [sys.executable, "-m", "twine", "check", "--strict", *paths],
        environ=cloudrepo.environ,
        timeout=TIMEOUT,
    )
    cloudrepo.upload(*paths)
    assert cloudrepo.versions("demo") == ["1.0"]


def build_with_pip(sdist: Path, out: Path, venv: VirtualEnv) -> CommandResult:
    return venv.run("-m", "pip", "wheel", "--no-deps", "--wheel-dir", out, sdist)


def build_with_uv(sdist: Path, out: Path, venv: VirtualEnv) -> CommandResult:
    return command.run(
        [sys.executable, "-m", "uv", "build", "--wheel", "--out-dir", out, sdist],
        environ=venv.environ,
        cwd=venv.folder,
        timeout=TIMEOUT,
    )


def build_with_build(sdist: Path, out: Path, venv: VirtualEnv) -> CommandResult:
    source = out / "source"
    for name, content in members(sdist).items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return command.run(
        [sys.executable, "-P", "-m", "build", "--wheel", "--outdir", out, source],
        environ=venv.environ,
        timeout=TIMEOUT,
    )


@pytest.mark.parametrize(
    "build",
    [build_with_pip, build_with_uv, pytest.param(build_with_build, marks=NEEDS_VENV)],
)
@pytest.mark.parametrize("arguments", [{}, OPTIONS, {"metadata_version": "1.2"}])
def test_the_wheel_built_from_an_sdist_equals_the_written_wheel(
    cloudrepo_package: PackageFactory,
    cloudrepo_venv: VirtualEnv,
    tmp_path: Path,
    arguments: dict[str, Any],
    build: Callable[[Path, Path, VirtualEnv], CommandResult],
) -> None:
    wheel = cloudrepo_package("demo", "1.0", **arguments)
    build(cloudrepo_package("demo", "1.0", **arguments, sdist=True), tmp_path, cloudrepo_venv)
    built_wheel = tmp_path / wheel.name
    assert members(built_wheel) == members(wheel)


def test_another_python_builds_the_sdist(
    cloudrepo_package: PackageFactory, cloudrepo_venv_factory: VirtualEnvFactory
) -> None:
    venv = venv_of_another_python(cloudrepo_venv_factory)
    venv.install(cloudrepo_package("demo", "1.0", **OPTIONS, sdist=True), "--no-deps")
    assert run_script(venv, "run-it") == "inner\n"


@pytest.mark.parametrize(("metadata_version", "resolved"), [("2.1", False), ("2.2", True)])
def test_uv_resolves_an_sdist_without_building_it_if_its_metadata_is_reliable(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
    metadata_version: str,
    *,
    resolved: bool,
) -> None:
    cloudrepo.publish(
        cloudrepo_package(
            "demo",
            "1.0",
            requires=["other"],
            metadata_version=metadata_version,
            files={"pyproject.toml": '[build-system]\nrequires = ["not-here"]\n'},
            sdist=True,
        ),
        cloudrepo_package("other", "2.0"),
    )
    requirements = tmp_path / "requirements.in"
    requirements.write_text("demo\n", encoding="utf-8")
    result = command.run(
        [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "--no-annotate",
            "--no-header",
            requirements,
        ],
        environ=cloudrepo.environ_for("uv"),
        cwd=tmp_path,
        timeout=TIMEOUT,
        check=False,
    )
    if resolved:
        assert result.stdout.split() == ["demo==1.0", "other==2.0"]
    else:
        assert "not-here was not found" in result.stderr
