"""Mistakes of new users, and the error message for each."""

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


@pytest.mark.parametrize("method", ["upload", "publish"])
def test_files_cannot_be_passed_as_a_list_or_a_project(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, method: str
) -> None:
    add_files: Any = getattr(cloudrepo, method)
    project = cloudrepo_project("demo", "1.0")
    with pytest.raises(TypeError, match=r"but a collection: unpack it with a star"):
        add_files([project.folder / "a.whl"])
    with pytest.raises(TypeError, match=r"pass the files it builds: \*project.build\(\)"):
        add_files(project)
    with pytest.raises(ValueError, match="no file was given; if you used a pattern"):
        add_files(*project.folder.glob("*.whl"))


def test_a_command_cannot_be_passed_as_a_list_or_a_single_string(cloudrepo: Repository) -> None:
    run: Any = cloudrepo.run
    with pytest.raises(TypeError, match=r"but a collection: unpack it with a star"):
        run(["twine", "--version"])
    with pytest.raises(CloudRepoError, match=r"'twine --version' not found.*separate strings"):
        run("twine --version")
    with pytest.raises(ValueError, match="no program was given"):
        run()


def test_a_working_directory_can_be_a_string(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, tmp_path: Path
) -> None:
    print_cwd = ("-c", "import os; print(os.getcwd())")
    assert cloudrepo.run(sys.executable, *print_cwd, cwd=str(tmp_path)).stdout == f"{tmp_path}\n"
    assert cloudrepo_venv.run(*print_cwd, cwd=str(tmp_path)).stdout == f"{tmp_path}\n"
    with pytest.raises(CloudRepoError, match=r"cannot start .* in nowhere: no such folder"):
        cloudrepo.run(sys.executable, *print_cwd, cwd="nowhere")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"upstream": "https://index.example/simple"}, "upstream must be a list of repositories"),
        ({"max_file_size": "10MB"}, "max_file_size must be a number of bytes, or None, not '10MB'"),
        ({"public": 1}, "public must be True or False, not 1"),
        ({"dialect": None}, "dialect must be a string, such as 'pypi', not None"),
    ],
)
def test_a_setting_of_the_wrong_type_is_rejected(
    cloudrepo_factory: RepositoryFactory, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        cloudrepo_factory(**settings)


def test_assigning_to_an_unknown_or_read_only_attribute_is_an_error(cloudrepo: Repository) -> None:
    repository: Any = cloudrepo
    with pytest.raises(TypeError, match="overwrite_protection must be True or False, not 'on'"):
        repository.overwrite_protection = "on"
    with pytest.raises(AttributeError, match="overwrite_protektion"):
        repository.overwrite_protektion = True
    with pytest.raises(AttributeError, match="max_file_size"):
        repository.max_file_size = 10


def test_the_error_for_an_unknown_kind_of_fault_lists_the_kinds(cloudrepo: Repository) -> None:
    with pytest.raises(
        ServerError, match=r"[Uu]nknown kind of fault 'error'; the kinds are: status, latency"
    ):
        cloudrepo.fault("error")


def test_a_server_cannot_be_used_as_an_index(
    cloudrepo_server: Server, cloudrepo_venv: VirtualEnv
) -> None:
    index: Any = cloudrepo_server
    with pytest.raises(TypeError, match="index must be a repository or a URL, not <Server"):
        cloudrepo_venv.install("demo", index=index)


@pytest.mark.parametrize("name", ["https://index.example/", "index.example:443"])
def test_a_url_or_a_port_is_not_a_host_name(cloudrepo: Repository, name: str) -> None:
    with pytest.raises(ValueError, match="is not a host name; use one like"):
        cloudrepo.allow_hosts(name)


def test_modules_in_the_working_directory_do_not_shadow_those_of_twine(
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
