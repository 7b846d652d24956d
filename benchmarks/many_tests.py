"""The speed of many tests with two workers, compared with fixtures that use devpi-process."""

import shutil
from pathlib import Path

from benchmarks.commands import CHEAP_HASHES
from benchmarks.servers import INSTALLED
from benchmarks.sessions import PLUGINS, run_session
from benchmarks.table import DEVPI, OURS, Row
from pytest_cloudrepo.project import Project

MINUTE = 60
_TESTS = 200
# The tests with devpi-process are slow, so the rate is that of fewer tests.
_DEVPI_TESTS = (4, 24)
_WORKERS = ("-p", "xdist", "-n", "2")
_TIMEOUT = 60.0

_WITH_CLOUDREPO = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_it(cloudrepo, cloudrepo_project, cloudrepo_venv_factory, tmp_path, number):
    project = cloudrepo_project("demo", "1.0")
    cloudrepo.run("uv", "build", "--wheel", "--out-dir", tmp_path, project.folder)
    cloudrepo.run("uv", "publish", *tmp_path.glob("*.whl"))
    venv = cloudrepo_venv_factory(pip=False)
    venv.install("demo", index=cloudrepo, installer="uv")
    venv.run("-c", "import demo")
"""

_WITH_DEVPI_PROCESS = """
import shutil, subprocess, sys
from pathlib import Path

import pytest
from devpi_process import IndexServer

HERE = Path(__file__).parent

def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)

@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with IndexServer(tmp_path_factory.mktemp("devpi"), start_args={start_args}) as server:
        yield server

@pytest.fixture
def index(server, request):
    return server.create_index(f"index{{request.node.callspec.params['number']}}", "bases=")

@pytest.mark.parametrize("number", range({tests}))
def test_it(index, tmp_path, number):
    project = shutil.copytree(HERE / "project", tmp_path / "project")
    run("uv", "build", "--no-config", "--wheel", "--out-dir", tmp_path, project)
    index.upload(*tmp_path.glob("*.whl"))
    environment = tmp_path / "environment"
    run("uv", "venv", "--no-config", "--python", sys.executable, environment)
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install = ["uv", "pip", "install", "--no-config", "--python", python]
    run(*install, "--index-url", index.url, "demo")
    run(python, "-c", "import demo")
"""


def many_tests(folder: Path, _: int) -> list[Row]:
    """Measure 200 tests that build, upload and install with uv, with two workers."""
    ours = _suite(folder / "ours", _WITH_CLOUDREPO.format(tests=_TESTS))
    seconds = run_session(ours, *PLUGINS, *_WORKERS)
    # The difference of two sessions does not contain the start of devpi-server.
    few, many = (
        _with_devpi_process(folder / f"devpi{tests}", tests=tests) for tests in _DEVPI_TESTS
    )
    rates = {
        OURS: MINUTE * _TESTS / seconds,
        DEVPI: MINUTE * (_DEVPI_TESTS[1] - _DEVPI_TESTS[0]) / (many - few),
    }
    title = f"{_TESTS} tests that build, upload and install with uv, two workers"
    return [Row(title, "/min", rates, f"20 x {DEVPI}", DEVPI)]


def _with_devpi_process(folder: Path, *, tests: int) -> float:
    """Run a session with this number of tests, and return its seconds."""
    text = _WITH_DEVPI_PROCESS.format(tests=tests, start_args=CHEAP_HASHES)
    suite = _suite(folder, text)
    Project(suite / "project", "demo", "1.0", environ=INSTALLED, timeout=_TIMEOUT)
    return run_session(suite, *_WORKERS)


def _suite(folder: Path, text: str) -> Path:
    """Write a test file into a new folder, and return the folder.

    Raises:
        RuntimeError: uv is not installed.
    """
    if shutil.which("uv", path=INSTALLED.get("PATH")) is None:
        raise RuntimeError("these figures require the program uv: install it (pip install uv)")
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(text)
    return folder
