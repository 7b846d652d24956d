"""Each function with a path accepts strings, `Path` and `PathLike` objects, `~` and patterns."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest

from pytest_cloudrepo import CommandError, check
from tests.support.platforms import needs_posix

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo import (
        PackageFactory,
        Repository,
        SessionFactories,
        VirtualEnv,
        VirtualEnvFactory,
    )

PRINT_FOLDER: Final = ("-c", "import os; print(os.getcwd())")


@dataclass(frozen=True)
class PathLike:
    """An object with a path that is neither a string nor a `pathlib.Path`."""

    path: str

    def __fspath__(self) -> str:
        return self.path


# Each form of a path to `NAME`, in the current folder or in the home folder.
FORMS: Final[dict[str, Callable[[Path, str], Any]]] = {
    "absolute": lambda folder, name: str(folder / "work" / name),
    "relative": lambda _, name: name,
    "home": lambda _, name: f"~/{name}",
    "pathlib": lambda _, name: Path(name),
    "pathlib-home": lambda _, name: Path("~") / name,
    "path-like": lambda _, name: PathLike(name),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the current folder `work`, and with the home folder `home`."""
    for name in ("work", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return tmp_path


def place(folder: Path, form: str) -> Path:
    """Return the folder to which a form refers."""
    return folder / ("home" if "home" in form else "work")


class TestSeveralFiles:
    """One call gets a wheel in each form, and patterns."""

    @pytest.fixture
    def paths(self, folder: Path, cloudrepo_package: PackageFactory) -> list[Any]:
        paths = []
        for number, (form, write) in enumerate(FORMS.items(), 1):
            wheel = cloudrepo_package("demo" + "x" * number, "1.0")
            paths.append(write(folder, wheel.rename(place(folder, form) / wheel.name).name))
        for number, subfolder in enumerate(["work/dist", "work/dist", "home/dist"], len(paths) + 1):
            (folder / subfolder).mkdir(exist_ok=True)
            wheel = cloudrepo_package("demo" + "x" * number, "1.0")
            wheel.rename(folder / subfolder / wheel.name)
        return [*paths, "dist/*.whl", PathLike("~/dist/*.whl")]

    @pytest.fixture
    def names(self, folder: Path, paths: list[Any]) -> set[str]:
        """The projects of the wheels."""
        del paths
        return {wheel.name.partition("-")[0] for wheel in folder.rglob("*.whl")}

    @pytest.mark.parametrize("method", ["publish", "upload"])
    def test_files_are_added_to_a_repository(
        self, cloudrepo: Repository, paths: list[Any], names: set[str], method: str
    ) -> None:
        getattr(cloudrepo, method)(*paths)
        assert {name for name in names if cloudrepo.versions(name) == ["1.0"]} == names

    def test_files_are_checked(self, paths: list[Any], names: set[str]) -> None:
        findings = check(*paths, max_file_size=1)
        assert {each.path.name.partition("-")[0] for each in findings} == names

    @pytest.mark.parametrize("installer", ["pip", "uv"])
    def test_files_are_installed(
        self,
        cloudrepo_venv: VirtualEnv,
        paths: list[Any],
        names: set[str],
        installer: Literal["pip", "uv"],
    ) -> None:
        cloudrepo_venv.install(*paths, installer=installer)
        assert {name for name in names if cloudrepo_venv.version(name) == "1.0"} == names


@pytest.mark.parametrize("form", FORMS)
class TestOnePath:
    def test_a_configuration_file_is_written(
        self, cloudrepo: Repository, folder: Path, form: str
    ) -> None:
        written = cloudrepo.write_config("pip", FORMS[form](folder, "settings"))
        assert written.samefile(place(folder, form) / "settings" / "pip.conf")
        cloudrepo.pypirc(FORMS[form](folder, "credentials"))
        assert (place(folder, form) / "credentials").is_file()

    def test_a_scenario_is_loaded(self, cloudrepo: Repository, folder: Path, form: str) -> None:
        (place(folder, form) / "scenario.toml").write_text(
            'name = "one"\n[root]\nrequires = ["a"]\n[expected]\nsatisfiable = true\n'
            "[packages.a.versions.'1.0']\n",
            encoding="utf-8",
        )
        cloudrepo.load_scenario(FORMS[form](folder, "scenario.toml"))
        assert cloudrepo.versions("a") == ["1.0"]

    def test_a_program_runs_in_a_folder(
        self, cloudrepo: Repository, shared_venv: VirtualEnv, folder: Path, form: str
    ) -> None:
        expected = place(folder, form) / "here"
        expected.mkdir()
        cwd = FORMS[form](folder, "here")
        assert cloudrepo.run(sys.executable, *PRINT_FOLDER, cwd=cwd).stdout == f"{expected}\n"
        assert shared_venv.run(*PRINT_FOLDER, cwd=cwd).stdout == f"{expected}\n"

    @needs_posix("symbolic links without a privilege")
    def test_an_environment_is_created_with_an_interpreter(
        self, cloudrepo_venv_factory: VirtualEnvFactory, folder: Path, form: str
    ) -> None:
        (place(folder, form) / "bin").mkdir()
        (place(folder, form) / "bin" / "python").symlink_to(sys.executable)
        venv = cloudrepo_venv_factory(python=FORMS[form](folder, "bin/python"), pip=False)
        assert venv.run("-c", "import sys; print(*sys.version_info[:2])").stdout.split() == [
            *map(str, sys.version_info[:2])
        ]


@pytest.fixture(scope="module")
def shared_venv(cloudrepo_session: SessionFactories) -> VirtualEnv:
    return cloudrepo_session.venv()


def test_a_script_runs_in_the_folder_of_its_environment(
    shared_venv: VirtualEnv, folder: Path
) -> None:
    (folder / "home" / "script.py").write_text(PRINT_FOLDER[1], encoding="utf-8")
    assert shared_venv.run(PathLike("~/script.py")).stdout == f"{shared_venv.folder}\n"


def test_a_pattern_that_matches_nothing_is_an_error(
    cloudrepo: Repository, shared_venv: VirtualEnv, folder: Path
) -> None:
    for add in (cloudrepo.upload, cloudrepo.publish, shared_venv.install, check):
        with pytest.raises(
            ValueError, match=r"'dist/\*\.whl' matches no file in the folder"
        ) as error:
            add("dist/*.whl")
        assert str(folder / "work") in str(error.value)
    with pytest.raises(ValueError, match=r"'\*\.whl' matches no file"):
        shared_venv.install("*.whl")


def test_requirements_urls_and_options_are_not_patterns(
    cloudrepo: Repository, shared_venv: VirtualEnv, folder: Path
) -> None:
    (folder / "work" / "demo").mkdir()
    cloudrepo.publish_all({"demo": {"1.5": {"extras": {"x": ["other"]}}}, "other": {"1.0": []}})
    (folder / "work" / "wanted.txt").write_text("demo[x]==1.*\n", encoding="utf-8")
    shared_venv.install("-r", "wanted.txt", "demo==1.*", index=cloudrepo)
    assert shared_venv.version("demo") == "1.5"
    assert shared_venv.version("other") == "1.0"
    for wrong in ("demo>=1.*", "https://127.0.0.1:9/*.whl"):
        with pytest.raises(CommandError):
            shared_venv.install(wrong, "--retries=0", index=cloudrepo)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_files_of_the_current_folder_do_not_change_the_installer(
    cloudrepo: Repository, shared_venv: VirtualEnv, folder: Path, installer: Literal["pip", "uv"]
) -> None:
    for name in ("pip", "uv", "json", "email"):
        (folder / "work" / f"{name}.py").write_text("raise SystemExit", encoding="utf-8")
    (folder / "work" / "uv.toml").write_text("[invalid", encoding="utf-8")
    cloudrepo.publish_all({installer + "-made": {"1.0": []}})
    shared_venv.install(installer + "-made", index=cloudrepo, installer=installer)
    assert shared_venv.version(installer + "-made") == "1.0"
