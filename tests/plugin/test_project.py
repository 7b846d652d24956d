"""Projects: source trees that build without network access."""

from __future__ import annotations

import os
import sys
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from pytest_cloudrepo._programs.result import CommandError
from pytest_cloudrepo.project import Project
from tests.support.built_archives import check_record, installed, members, metadata
from tests.support.platforms import needs_windows
from tests.support.pythons import venv_of_another_python

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_cloudrepo import Repository, VirtualEnv
    from pytest_cloudrepo.factories import ProjectFactory, VirtualEnvFactory

EACH_BACKEND = pytest.mark.parametrize(
    "setup_py", [False, True], ids=["built-in backend", "setup.py"]
)

FILES: Mapping[str, str | bytes] = {
    "demo/__init__.py": "",
    "demo/inner/deep.py": "x = 1\n",
    "demo/data/table.bin": bytes(range(256)),
    "tests/test_demo.py": "",
    "README.md": "# é\n",
}


def change_file_times(folder: Path) -> None:
    """Set another modification time for all files of a folder."""
    for path in folder.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


@EACH_BACKEND
def test_an_sdist_and_a_wheel_are_built(
    cloudrepo_project: ProjectFactory, *, setup_py: bool
) -> None:
    sdist, wheel = cloudrepo_project("Demo.Project_x", "1.0", setup_py=setup_py).build()
    assert sdist.name == "demo_project_x-1.0.tar.gz"
    assert wheel.name == "demo_project_x-1.0-py3-none-any.whl"
    assert parse_sdist_filename(sdist.name)[0] == parse_wheel_filename(wheel.name)[0]
    for path in (sdist, wheel):
        assert metadata(path).name == "Demo.Project_x"
        assert str(metadata(path).version) == "1.0"
    assert members(wheel)["demo_project_x.py"] == b'__version__ = "1.0"\n'


@EACH_BACKEND
def test_an_sdist_or_a_wheel_can_be_built_alone(
    cloudrepo_project: ProjectFactory, *, setup_py: bool
) -> None:
    project = cloudrepo_project("demo", "1.0", setup_py=setup_py)
    assert [path.suffix for path in project.build(wheel=False)] == [".gz"]
    assert [path.suffix for path in project.build(sdist=False)] == [".whl"]
    assert [path.name for path in (project.folder / "dist").iterdir()] == [
        "demo-1.0-py3-none-any.whl"
    ]


def test_building_neither_sdist_nor_wheel_is_an_error(cloudrepo_project: ProjectFactory) -> None:
    with pytest.raises(ValueError, match="sdist and wheel are both False"):
        cloudrepo_project("demo", "1.0").build(sdist=False, wheel=False)


@EACH_BACKEND
def test_requirements_are_in_the_metadata(
    cloudrepo_project: ProjectFactory, *, setup_py: bool
) -> None:
    requires = ["requests >= 2", 'tomli; python_version < "3.11"', "extra[one,two]"]
    project = cloudrepo_project("demo", "1.0", requires=requires, setup_py=setup_py)
    for path in project.build():
        assert sorted(map(str, metadata(path).requires_dist or ())) == [
            "extra[one,two]",
            "requests>=2",
            'tomli; python_version < "3.11"',
        ]


@EACH_BACKEND
def test_packages_and_their_data_are_installed(
    cloudrepo_project: ProjectFactory, *, setup_py: bool
) -> None:
    sdist, wheel = cloudrepo_project("demo", "1.0", files=FILES, setup_py=setup_py).build()
    assert installed(wheel) == {"demo/__init__.py", "demo/inner/deep.py", "demo/data/table.bin"}
    assert members(wheel)["demo/data/table.bin"] == bytes(range(256))
    assert members(sdist)["README.md"].decode() == "# é\n"


def test_a_package_can_be_in_src(cloudrepo_project: ProjectFactory) -> None:
    files = {f"src/{name}": content for name, content in FILES.items() if "demo/" in name}
    _, wheel = cloudrepo_project("demo", "1.0", files=files).build()
    assert installed(wheel) == {"demo/__init__.py", "demo/inner/deep.py", "demo/data/table.bin"}


@EACH_BACKEND
def test_files_are_added_to_the_default_module_or_replace_it(
    cloudrepo_project: ProjectFactory, *, setup_py: bool
) -> None:
    files = {"demo.py": "x = 2\n", "more.py": "y = 3\n"}
    _, wheel = cloudrepo_project("demo", "1.0", files=files, setup_py=setup_py).build()
    contents = members(wheel)
    assert installed(wheel) == {"demo.py", "more.py"}
    assert contents["demo.py"].replace(b"\r\n", b"\n") == b"x = 2\n"


def test_the_record_of_a_wheel_lists_every_file(cloudrepo_project: ProjectFactory) -> None:
    (wheel,) = cloudrepo_project("demo", "1.0", files=FILES).build(sdist=False)
    check_record(wheel)


def test_a_wheel_states_its_compatibility(cloudrepo_project: ProjectFactory) -> None:
    (wheel,) = cloudrepo_project("demo", "1.0").build(sdist=False)
    wheel_metadata = BytesParser().parsebytes(members(wheel)["demo-1.0.dist-info/WHEEL"])
    assert (
        wheel_metadata["Wheel-Version"],
        wheel_metadata["Root-Is-Purelib"],
        wheel_metadata["Tag"],
    ) == (
        *("1.0", "true"),
        "py3-none-any",
    )


def test_builds_of_the_same_sources_are_identical(cloudrepo_project: ProjectFactory) -> None:
    files = {**FILES, **{f"demo/{letter}.py": "" for letter in "qwertyuiopasdfghjklzxcvbnm"}}
    first = [path.read_bytes() for path in cloudrepo_project("demo", "1.0", files=files).build()]
    again = cloudrepo_project("demo", "1.0", files=dict(reversed(list(files.items()))))
    change_file_times(again.folder)
    assert [path.read_bytes() for path in again.build()] == first
    assert [path.read_bytes() for path in again.build()] == first


def test_setuptools_builds_identical_wheels_of_the_same_sources(
    cloudrepo_project: ProjectFactory,
) -> None:
    one, other = (cloudrepo_project("demo", "1.0", setup_py=True) for _ in range(2))
    change_file_times(other.folder)
    assert one.build()[1].read_bytes() == other.build()[1].read_bytes()


@EACH_BACKEND
def test_a_build_includes_later_changes_to_the_tree(
    cloudrepo_project: ProjectFactory, *, setup_py: bool
) -> None:
    project = cloudrepo_project(
        "demo", "1.0", files={"pack/__init__.py": "", "pack/removed.py": ""}, setup_py=setup_py
    )
    project.build(sdist=False)
    (project.folder / "demo.py").write_text("x = 'new'\n", encoding="utf-8")
    (project.folder / "pack" / "removed.py").unlink()
    for arguments in ({"sdist": False}, {}):
        wheel = project.build(**arguments)[-1]
        assert members(wheel)["demo.py"].strip() == b"x = 'new'"
        assert installed(wheel) == {"demo.py", "pack/__init__.py"}


@EACH_BACKEND
def test_sdist_and_wheel_can_be_installed_without_network(
    cloudrepo_project: ProjectFactory, cloudrepo_venv_factory: VirtualEnvFactory, *, setup_py: bool
) -> None:
    built = cloudrepo_project("2-demo", "1.0", setup_py=setup_py).build()
    for path in built:
        venv = cloudrepo_venv_factory()
        if setup_py and path.suffix == ".gz":
            # The build requires setuptools, which no index provides in this test.
            with pytest.raises(CommandError, match="setuptools"):
                venv.install(path)
            continue
        venv.install(path)
        assert venv.version("2-demo") == "1.0"
        assert venv.run("-c", "import _2_demo; print(_2_demo.__version__)").stdout == "1.0\n"


@pytest.mark.parametrize("module", ["demo.py", "src/demo.py"])
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_an_editable_installation_reflects_changes_to_the_tree(
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv: VirtualEnv,
    installer: Literal["pip", "uv"],
    module: str,
) -> None:
    project = cloudrepo_project("demo", "1.0", files={module: "x = 1\n"})
    cloudrepo_venv.install("--editable", project.folder, installer=installer)
    assert cloudrepo_venv.version("demo") == "1.0"
    (project.folder / module).write_text("x = 'new'\n", encoding="utf-8")
    assert cloudrepo_venv.run("-c", "import demo; print(demo.x)").stdout == "new\n"


def test_uv_run_installs_the_project_and_its_requirements(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory
) -> None:
    cloudrepo.publish_all({"base": {"1.0": []}})
    project = cloudrepo_project("demo", "1.0", requires=["base"])
    print_path = ("python", "-c", "import base, demo; print(demo.__file__)")
    result = cloudrepo.run(sys.executable, "-m", "uv", "run", *print_path, cwd=project.folder)
    assert result.stdout == f"{project.folder / 'demo.py'}\n"


def test_another_python_builds_the_sdist(
    cloudrepo_project: ProjectFactory, cloudrepo_venv_factory: VirtualEnvFactory
) -> None:
    other_venv = venv_of_another_python(cloudrepo_venv_factory)
    (sdist,) = cloudrepo_project("demo", "1.0").build(wheel=False)
    other_venv.install(sdist)
    assert other_venv.version("demo") == "1.0"


def test_a_build_does_not_see_the_tests_environment_variables(
    cloudrepo_project: ProjectFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "somewhere")
    project = cloudrepo_project(
        "demo", "1.0", files={"setup.py": "import os; print(dict(os.environ))"}, setup_py=True
    )
    with pytest.raises(CommandError) as caught:
        project.build()
    assert os.environ["PYTHONPATH"] == "somewhere"
    assert "'PATH'" in str(caught.value)
    assert "somewhere" not in str(caught.value)


def test_a_failed_build_shows_the_reason(cloudrepo_project: ProjectFactory) -> None:
    project = cloudrepo_project(
        "demo", "1.0", files={"setup.py": "raise SystemExit('the reason')"}, setup_py=True
    )
    with pytest.raises(CommandError, match="the reason"):
        project.build()


def test_a_missing_build_requirement_is_reported(cloudrepo_project: ProjectFactory) -> None:
    pyproject = """
[build-system]
requires = ["setuptools", "no-such-project"]
build-backend = "setuptools.build_meta"
"""
    project = cloudrepo_project("demo", "1.0", files={"pyproject.toml": pyproject})
    with pytest.raises(CommandError, match="no-such-project"):
        project.build()


@pytest.mark.parametrize("name", ["", "-demo", "demo-", "de mo", "démo", "demo/x"])
def test_an_invalid_name_is_rejected(cloudrepo_project: ProjectFactory, name: str) -> None:
    with pytest.raises(ValueError, match="invalid project name"):
        cloudrepo_project(name, "1.0")


def test_an_invalid_version_is_rejected(cloudrepo_project: ProjectFactory) -> None:
    with pytest.raises(ValueError, match="invalid version 'one'"):
        cloudrepo_project("demo", "one")


def test_an_invalid_requirement_is_rejected(cloudrepo_project: ProjectFactory) -> None:
    with pytest.raises(ValueError, match="invalid requirement '>1'"):
        cloudrepo_project("demo", "1.0", requires=[">1"])


@pytest.mark.parametrize("path", ["../demo.py", "/demo.py", "a/../../demo.py", "C:/demo.py"])
def test_a_file_outside_of_the_tree_is_rejected(
    cloudrepo_project: ProjectFactory, path: str
) -> None:
    with pytest.raises(ValueError, match="use a path relative to the project"):
        cloudrepo_project("demo", "1.0", files={path: ""})


@pytest.mark.parametrize("name", ["con", "NUL", "Com1"])
def test_a_name_that_windows_reserves_is_not_the_name_of_a_module(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, name: str
) -> None:
    project = cloudrepo_project(name, "1.0")
    sdist, wheel = project.build()
    for built in (sdist, wheel):
        assert f"{project.module}.py" in members(built)
        assert f"{name.lower()}.py" not in members(built)
    cloudrepo.upload(sdist, wheel)
    assert sorted(cloudrepo.files(name)) == sorted([sdist.name, wheel.name])


@needs_windows("reserved file names")
@pytest.mark.parametrize("path", ["nul.py", "aux/x.py", "x/con.tar.gz", "x/con", "Prn.txt"])
def test_a_file_name_that_windows_reserves_is_rejected(
    cloudrepo_project: ProjectFactory, path: str
) -> None:
    with pytest.raises(ValueError, match=f"'{path}': Windows does not allow such a file name"):
        cloudrepo_project("demo", "1.0", files={path: ""})


def test_the_version_is_normalized(
    cloudrepo_project: ProjectFactory,
) -> None:
    project = cloudrepo_project("demo", "v1.0.RC1")
    assert project.version == "1.0rc1"
    assert [path.name for path in project.build()] == [
        "demo-1.0rc1.tar.gz",
        "demo-1.0rc1-py3-none-any.whl",
    ]


def test_a_project_can_be_created_without_fixtures(tmp_path: Path) -> None:
    project = Project(tmp_path / "é ü", "demo", "1.0", environ=os.environ, timeout=60)
    assert repr(project) == f"<Project demo 1.0 in {tmp_path / 'é ü'}>"
    assert len(project.build()) == 2
