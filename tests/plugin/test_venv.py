"""Virtual environments that install from a repository."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pytest

from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo._programs.result import CommandError, CommandTimeout
from pytest_cloudrepo.errors import CloudRepoError
from pytest_cloudrepo.venv import VirtualEnv
from tests.support.platforms import WINDOWS, needs_posix
from tests.support.pythons import venv_of_another_python
from tests.support.shown_output import shows_status

if TYPE_CHECKING:
    from pytest_cloudrepo.factories import ProjectFactory, RepositoryFactory, VirtualEnvFactory
    from pytest_cloudrepo.repository import Repository

INSTALLERS: Final[tuple[Literal["pip", "uv"], ...]] = ("pip", "uv")
EACH_INSTALLER = pytest.mark.parametrize("installer", INSTALLERS)


@pytest.fixture
def wheel(cloudrepo_project: ProjectFactory) -> Path:
    (wheel,) = cloudrepo_project("demo", "1.0").build(sdist=False)
    return wheel


def test_a_new_environment_contains_only_pip(cloudrepo_venv: VirtualEnv) -> None:
    listed = cloudrepo_venv.run("-m", "pip", "list", "--format=json").stdout
    assert [project["name"] for project in json.loads(listed)] == ["pip"]


def test_an_environment_is_isolated_from_its_base_python(cloudrepo_venv: VirtualEnv) -> None:
    script = "import sys; print(sys.prefix, sys.prefix != sys.base_prefix, sys.version_info[:2])"
    assert cloudrepo_venv.run("-c", script).stdout == (
        f"{cloudrepo_venv.folder} True {sys.version_info[:2]}\n"
    )


def test_programs_on_the_path_belong_to_the_environment(cloudrepo_venv: VirtualEnv) -> None:
    pip = shutil.which("pip", path=cloudrepo_venv.environ["PATH"])
    assert pip is not None
    assert Path(pip).parent == cloudrepo_venv.scripts
    completed = subprocess.run(
        [pip, "--version"], env=cloudrepo_venv.environ, capture_output=True, text=True, check=True
    )
    assert str(cloudrepo_venv.folder) in completed.stdout


@EACH_INSTALLER
def test_a_file_is_installed_without_an_index(
    cloudrepo_venv: VirtualEnv, wheel: Path, installer: Literal["pip", "uv"]
) -> None:
    assert cloudrepo_venv.version("demo") is None
    cloudrepo_venv.install(wheel, installer=installer)
    assert cloudrepo_venv.version("demo") == "1.0"
    assert cloudrepo_venv.version("DEMO") == "1.0"
    for similar_name in ("demo-x", "dem"):
        assert cloudrepo_venv.version(similar_name) is None
    assert cloudrepo_venv.run("-c", "import demo; print(demo.__version__)").stdout == "1.0\n"


@EACH_INSTALLER
def test_a_project_is_installed_from_a_repository(
    cloudrepo: Repository,
    cloudrepo_venv: VirtualEnv,
    wheel: Path,
    installer: Literal["pip", "uv"],
) -> None:
    cloudrepo.publish(wheel)
    result = cloudrepo_venv.install("demo", index=cloudrepo, installer=installer)
    assert cloudrepo_venv.version("demo") == "1.0"
    assert cloudrepo.password not in repr(result)


@EACH_INSTALLER
def test_a_project_is_installed_from_a_url(
    cloudrepo: Repository,
    cloudrepo_venv: VirtualEnv,
    wheel: Path,
    installer: Literal["pip", "uv"],
) -> None:
    cloudrepo.publish(wheel)
    cloudrepo_venv.install("demo", index=cloudrepo.index_url, installer=installer)
    assert cloudrepo_venv.version("demo") == "1.0"


@EACH_INSTALLER
def test_version_returns_the_currently_installed_version(
    cloudrepo_project: ProjectFactory, cloudrepo_venv: VirtualEnv, installer: Literal["pip", "uv"]
) -> None:
    for version in ("1.0", "2.0"):
        built = cloudrepo_project("De.mo-x", version).build(sdist=False)
        cloudrepo_venv.install(*built, installer=installer)
        assert cloudrepo_venv.version("de-mo_X") == version
    cloudrepo_venv.run("-m", "pip", "uninstall", "--yes", "de-mo-x")
    assert cloudrepo_venv.version("de-mo-x") is None


@EACH_INSTALLER
def test_a_project_and_its_dependencies_can_come_from_several_indexes(
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv: VirtualEnv,
    installer: Literal["pip", "uv"],
) -> None:
    app, library, third = cloudrepo_factory(), cloudrepo_factory(), cloudrepo_factory()
    app.publish(*cloudrepo_project("app", "1.0", requires=["lib", "third"]).build())
    library.publish(*cloudrepo_project("lib", "2.0").build())
    third.publish(*cloudrepo_project("third", "3.0").build())
    cloudrepo_venv.install("app", index=[app, library.index_url, third], installer=installer)
    assert [cloudrepo_venv.version(name) for name in ("app", "lib", "third")] == [
        *("1.0", "2.0", "3.0")
    ]


def test_uv_prefers_the_first_index_and_pip_the_best_version(
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv_factory: VirtualEnvFactory,
) -> None:
    first, second = cloudrepo_factory(), cloudrepo_factory()
    first.publish(*cloudrepo_project("demo", "1.0").build(sdist=False))
    second.publish(*cloudrepo_project("demo", "9.0").build(sdist=False))
    versions = {}
    for installer in INSTALLERS:
        venv = cloudrepo_venv_factory()
        venv.install("demo", index=[first, second], installer=installer)
        versions[installer] = venv.version("demo")
    assert versions == {"pip": "9.0", "uv": "1.0"}


@EACH_INSTALLER
def test_a_failure_shows_the_servers_responses_and_no_password(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, installer: Literal["pip", "uv"]
) -> None:
    with pytest.raises(CommandError) as caught:
        cloudrepo_venv.install("absent", index=cloudrepo, installer=installer)
    assert "absent" in str(caught.value)
    assert "The server's error responses:" in str(caught.value)
    assert shows_status(str(caught.value), 404)
    assert cloudrepo.password not in f"{caught.value} {caught.value!r}"


@EACH_INSTALLER
def test_a_password_is_masked_if_a_build_prints_its_environment(
    cloudrepo: Repository,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv: VirtualEnv,
    installer: Literal["pip", "uv"],
) -> None:
    project = cloudrepo_project("demo", "1.0")
    (backend,) = project.folder.glob("_*/*.py")
    backend.write_text("import os; raise SystemExit(dict(os.environ))", encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        cloudrepo_venv.install(project.folder, index=cloudrepo, installer=installer)
    assert "INDEX" in str(caught.value)
    assert cloudrepo.password not in str(caught.value)


@EACH_INSTALLER
def test_a_failure_is_returned_if_check_is_false(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, installer: Literal["pip", "uv"]
) -> None:
    result = cloudrepo_venv.install("absent", index=cloudrepo, installer=installer, check=False)
    assert not result.ok
    assert "absent" in result.output


@EACH_INSTALLER
def test_credentials_are_not_passed_as_arguments(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, installer: Literal["pip", "uv"]
) -> None:
    result = cloudrepo_venv.install("absent", index=cloudrepo, installer=installer, check=False)
    assert not any("://" in argument or "***" in argument for argument in result.args)


def test_options_are_passed_to_the_installer(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, cloudrepo_venv: VirtualEnv
) -> None:
    cloudrepo.publish(*cloudrepo_project("demo", "2.0b1").build(sdist=False))
    cloudrepo.publish(*cloudrepo_project("demo", "1.0").build(sdist=False))
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.version("demo") == "1.0"
    cloudrepo_venv.install("--pre", "--upgrade", "demo", index=cloudrepo)
    assert cloudrepo_venv.version("demo") == "2.0b1"


def test_an_environment_can_be_created_without_pip(
    cloudrepo_venv_factory: VirtualEnvFactory, wheel: Path
) -> None:
    venv = cloudrepo_venv_factory(pip=False)
    assert venv.version("pip") is None
    with pytest.raises(CloudRepoError, match="this environment has no pip"):
        venv.install(wheel)
    venv.install(wheel, installer="uv")
    assert venv.version("demo") == "1.0"


def test_an_unknown_installer_is_rejected(cloudrepo_venv: VirtualEnv) -> None:
    with pytest.raises(ValueError, match="'pip' or 'uv', not 'conda'"):
        cloudrepo_venv.install("demo", installer="conda")  # type: ignore[arg-type]  # the mistake under test


def test_a_missing_uv_is_reported(
    cloudrepo_venv: VirtualEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(CloudRepoError, match="uv is not installed"):
        cloudrepo_venv.install("demo", installer="uv")


def test_a_python_can_be_selected_by_version(
    cloudrepo_venv_factory: VirtualEnvFactory, wheel: Path
) -> None:
    venv = venv_of_another_python(cloudrepo_venv_factory)
    version = venv.run("-c", "import sys; print(sys.version_info[:2])").stdout
    assert version != f"{sys.version_info[:2]}\n"
    venv.install(wheel)
    assert venv.version("demo") == "1.0"


def test_a_python_can_be_selected_by_path(cloudrepo_venv_factory: VirtualEnvFactory) -> None:
    venv = cloudrepo_venv_factory(python=Path(sys.executable))
    script = "import sys; print(sys.base_prefix)"
    assert venv.run("-c", script).stdout == f"{sys.base_prefix}\n"


@pytest.mark.parametrize("python", ["3.99", "no/such/python"])
def test_a_missing_python_is_reported_with_the_available_ones(
    cloudrepo_venv_factory: VirtualEnvFactory, python: str
) -> None:
    this_version = ".".join(map(str, sys.version_info[:3]))
    path = re.escape(repr(str(Path(python))).strip("'"))
    with pytest.raises(
        CloudRepoError,
        match=f"Python '.*{path}' not found; the installed Pythons are .*{this_version}",
    ):
        cloudrepo_venv_factory(python=python)


@EACH_INSTALLER
def test_changes_to_one_environment_do_not_affect_others(
    cloudrepo_venv_factory: VirtualEnvFactory,
    cloudrepo_project: ProjectFactory,
    installer: Literal["pip", "uv"],
) -> None:
    before = cloudrepo_venv_factory()
    version = before.version("pip")
    changed = cloudrepo_venv_factory()
    # The environments share the files of pip, which an installer replaces here.
    fake_pip = cloudrepo_project(
        "pip", "99.0", files={"pip/__init__.py": "x = 1\n", "pip/_internal/__init__.py": ""}
    )
    changed.install(*fake_pip.build(sdist=False), installer=installer)
    assert changed.version("pip") == "99.0"
    assert changed.run("-c", "import pip; print(pip.x)").stdout == "1\n"
    for other in (before, cloudrepo_venv_factory()):
        assert other.version("pip") == version
        assert other.run("-m", "pip", "--version").ok


def test_a_program_runs_in_the_environments_folder_by_default(
    cloudrepo_venv: VirtualEnv, tmp_path: Path
) -> None:
    print_folder = ("-c", "import os; print(os.getcwd())")
    assert cloudrepo_venv.run(*print_folder).stdout == f"{cloudrepo_venv.folder}\n"
    assert cloudrepo_venv.run(*print_folder, cwd=tmp_path).stdout == f"{tmp_path}\n"


def test_relative_paths_are_relative_to_the_tests_working_folder(
    cloudrepo_venv: VirtualEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text("print('here')", encoding="utf-8")
    assert cloudrepo_venv.run(Path("script.py")).stdout == "here\n"
    shutil.copy(wheel, tmp_path)
    cloudrepo_venv.install(Path(wheel.name))
    assert cloudrepo_venv.version("demo") == "1.0"


def test_a_failing_program_raises_unless_check_is_false(cloudrepo_venv: VirtualEnv) -> None:
    with pytest.raises(CommandError, match="the reason"):
        cloudrepo_venv.run("-c", "raise SystemExit('the reason')")
    assert cloudrepo_venv.run("-c", "raise SystemExit(3)", check=False).returncode == 3


@needs_posix("templates of environments, so it needs longer to create one")
def test_a_program_is_stopped_after_its_timeout(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "environment")
    app_data = tmp_path / "app-data"
    patient = VirtualEnv(
        tmp_path / "first", pip=False, environment=environment, app_data=app_data, timeout=60
    )
    assert patient.run("-c", "").ok
    impatient = VirtualEnv(
        tmp_path / "second", pip=False, environment=environment, app_data=app_data, timeout=0.5
    )
    with pytest.raises(CommandTimeout, match=r"timed out after 0\.5 seconds"):
        impatient.run("-c", "import time; time.sleep(300)")


def test_environments_can_be_created_concurrently_in_folders_with_any_name(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo.venv import VirtualEnv
folder = Path(sys.argv[1])
venv = VirtualEnv(
    folder / sys.argv[2], environment=Environment(folder / "e"), app_data=folder / "a", timeout=120
)
print(venv.run("-m", "pip", "--version").stdout)
"""
    # Windows limits the length of a path, and removes spaces from the end of a name.
    folder = tmp_path / " ".join(["é ü"] * (4 if WINDOWS else 20))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder), name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("one", "two")
    ]
    for name, process in zip(("one", "two"), processes, strict=True):
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
        assert str(folder / name) in output
        pip = folder / name / ("Scripts/pip.exe" if sys.platform == "win32" else "bin/pip")
        subprocess.run([pip, "--version"], check=True, stdout=subprocess.DEVNULL)
