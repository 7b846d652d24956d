"""What those who use the fixtures for the first time get wrong, and what they are told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_cloudrepo import CloudRepoError, ServerError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_cloudrepo import (
        PackageFactory,
        ProjectFactory,
        Repository,
        RepositoryFactory,
        Server,
        VirtualEnv,
    )


@pytest.mark.parametrize("way", ["upload", "publish"])
def test_files_are_not_given_as_a_list_or_a_project(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, way: str
) -> None:
    put: Any = getattr(cloudrepo, way)
    project = cloudrepo_project("demo", "1.0")
    with pytest.raises(TypeError, match=r"several: put a star before it"):
        put([project.folder / "a.whl"])
    with pytest.raises(TypeError, match=r"give what it builds: \*project.build\(\)"):
        put(project)
    with pytest.raises(ValueError, match="no file was given; if a pattern"):
        put(*project.folder.glob("*.whl"))


def test_a_program_is_not_given_as_a_list_or_a_line(cloudrepo: Repository) -> None:
    run: Any = cloudrepo.run
    with pytest.raises(TypeError, match=r"several: put a star before it"):
        run(["twine", "--version"])
    with pytest.raises(CloudRepoError, match=r"'twine --version'.*one by one"):
        run("twine --version")
    with pytest.raises(ValueError, match="no program was given"):
        run()


def test_a_folder_to_run_in_may_be_a_text(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, tmp_path: Path
) -> None:
    tells = ("-c", "import os; print(os.getcwd())")
    assert cloudrepo.run(sys.executable, *tells, cwd=str(tmp_path)).stdout == f"{tmp_path}\n"
    assert cloudrepo_venv.run(*tells, cwd=str(tmp_path)).stdout == f"{tmp_path}\n"
    with pytest.raises(CloudRepoError, match=r"cannot run .* in nowhere: no such folder"):
        cloudrepo.run(sys.executable, *tells, cwd="nowhere")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"upstream": "https://index.example/simple"}, "upstream is a list of repositories"),
        ({"max_file_size": "10MB"}, "max_file_size is a number of bytes, or None, not '10MB'"),
        ({"public": 1}, "public is True or False, not 1"),
        ({"dialect": None}, "dialect is a text, such as 'pypi', not None"),
    ],
)
def test_a_setting_has_its_type(
    cloudrepo_factory: RepositoryFactory, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        cloudrepo_factory(**settings)


def test_what_cannot_be_set_is_not_set_silently(cloudrepo: Repository) -> None:
    repository: Any = cloudrepo
    with pytest.raises(TypeError, match="overwrite_protection is True or False, not 'on'"):
        repository.overwrite_protection = "on"
    with pytest.raises(AttributeError, match="overwrite_protektion"):
        repository.overwrite_protektion = True
    with pytest.raises(AttributeError, match="max_file_size"):
        repository.max_file_size = 10


def test_a_fault_of_no_kind_is_told_which_there_are(cloudrepo: Repository) -> None:
    with pytest.raises(
        ServerError, match=r"[Uu]nknown kind of fault 'error'; the kinds are: status, latency"
    ):
        cloudrepo.fault("error")


def test_a_server_is_no_index(cloudrepo_server: Server, cloudrepo_venv: VirtualEnv) -> None:
    index: Any = cloudrepo_server
    with pytest.raises(TypeError, match="an index is a repository or a URL, not <Server"):
        cloudrepo_venv.install("demo", index=index)


@pytest.mark.parametrize("name", ["https://index.example/", "index.example:443"])
def test_a_url_is_no_host(cloudrepo: Repository, name: str) -> None:
    with pytest.raises(ValueError, match="is no host, such as"):
        cloudrepo.allow_hosts(name)


def test_modules_in_the_current_folder_are_not_taken_for_twines(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("requests", "packaging", "twine"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    cloudrepo.upload(cloudrepo_package("demo", "1.0"))
    assert cloudrepo.versions("demo") == ["1.0"]
