"""The plugin's tools are found where the plugin was imported from, without the user's settings."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import cloudrepo_server
import pytest_cloudrepo
from tests.support import each_tool

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

# The folders in which this plugin and everything that it needs are installed.
INSTALLED = list(
    dict.fromkeys(
        [
            sysconfig.get_path("purelib"),
            sysconfig.get_path("platlib"),
            *(
                str(Path(str(package.__file__)).parents[1])
                for package in (pytest_cloudrepo, cloudrepo_server)
            ),
        ]
    )
)

# A test that runs each of the plugin's tools: the server, build with setuptools, twine, virtualenv.
USES_EACH_TOOL = Path(str(each_tool.__file__)).read_text(encoding="utf-8")

# The user's module, which records the processes that import it.
RECORDS_PROCESSES = """
import pathlib, sys
with (pathlib.Path(__file__).parent / "processes.txt").open("a") as file:
    print(*sys.orig_argv, file=file)
"""

LAUNCHER = """
import sys
{prepare}
import pytest
raise SystemExit(pytest.console_main())
"""


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A Python in whose own folders nothing is installed."""
    venv = pytest.importorskip("venv", reason="embeddable Pythons for Windows lack this module")
    venv.create(tmp_path / "bare")
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    return tmp_path / "bare" / scripts / Path(sys.executable).name


@pytest.fixture
def user_suite(suite: Suite) -> Suite:
    """A suite that uses each tool. Its folder also contains a module of the user."""
    (suite.folder / "user").mkdir()
    (suite.folder / "user" / "sitecustomize.py").write_text(RECORDS_PROCESSES, encoding="utf-8")
    suite.write(test_it=USES_EACH_TOOL)
    return suite


def processes(suite: Suite) -> list[str]:
    """Return the command lines of the processes that imported the user's module."""
    return (suite.folder / "user" / "processes.txt").read_text(encoding="utf-8").splitlines()


def test_the_tools_are_found_on_pythonpath(user_suite: Suite, bare_python: Path) -> None:
    outcome = user_suite.run(
        program=[bare_python, "-m", "pytest"],
        environ={"PYTHONPATH": os.pathsep.join([str(user_suite.folder / "user"), *INSTALLED])},
    )
    assert outcome.counts() == {"passed": 1}, outcome
    assert [line for line in processes(user_suite) if "pytest" not in line] == []


def test_the_tools_are_found_in_the_users_site(user_suite: Suite, tmp_path: Path) -> None:
    python = getattr(sys, "_base_executable", sys.executable)
    base = {"PYTHONUSERBASE": str(tmp_path / "base")}
    show = [python, "-c", "import site; print(site.getusersitepackages())"]
    shown = subprocess.run(show, env=os.environ | base, check=True, capture_output=True, text=True)
    user_site = Path(shown.stdout.strip())
    user_site.mkdir(parents=True)
    (user_site / "installed.pth").write_text("\n".join(INSTALLED), encoding="utf-8")
    outcome = user_suite.run(
        program=[python, "-m", "pytest"],
        environ={**base, "PYTHONPATH": str(user_suite.folder / "user")},
    )
    assert outcome.counts() == {"passed": 1}, outcome
    assert [line for line in processes(user_suite) if "pytest" not in line] == []


def test_the_tools_are_found_on_a_path_that_a_launcher_added(
    user_suite: Suite, bare_python: Path
) -> None:
    # As PEX, shiv and zipapp do.
    user_suite.write(launcher=LAUNCHER.format(prepare=f"sys.path[1:1] = {INSTALLED}"))
    program = [bare_python, user_suite.folder / "launcher.py"]
    outcome = user_suite.run(program=program)
    assert outcome.counts() == {"passed": 1}, outcome


# A launcher that imports packages without adding their folders to `sys.path`.
IMPORT_HOOK = f"""
from importlib.machinery import PathFinder
from importlib.metadata import DistributionFinder, MetadataPathFinder
class Hook:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, path or {INSTALLED})
    @staticmethod
    def find_distributions(context=DistributionFinder.Context()):
        context = DistributionFinder.Context(name=context.name, path={INSTALLED})
        return MetadataPathFinder.find_distributions(context)
sys.meta_path.append(Hook)
"""


@pytest.mark.parametrize(
    "prepare",
    [IMPORT_HOOK, f"sys.path[1:1] = {INSTALLED}; sys.executable = ''"],
    ids=["import hook", "no executable"],
)
def test_an_error_says_what_to_do_if_the_tools_cannot_be_found(
    suite: Suite, bare_python: Path, prepare: str
) -> None:
    suite.write(
        launcher=LAUNCHER.format(prepare=prepare),
        test_it="""
def test_server(cloudrepo): pass
def test_build(cloudrepo_project): cloudrepo_project("demo", "1.0").build()
def test_environment(cloudrepo_venv): pass
""",
    )
    outcome = suite.run(program=[bare_python, suite.folder / "launcher.py"])
    assert outcome.counts() == {"failed": 1, "errors": 2}, outcome
    assert outcome.output.count("does not find cloudrepo_server, twine, build, virtualenv") >= 3
    assert "install pytest-cloudrepo into a virtual environment" in outcome.output
    assert "Traceback" not in outcome.output
