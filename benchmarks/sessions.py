"""The time of a pytest session with one test: what you wait for while you write a test."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.servers import ADMIN_PASSWORD, ADMIN_USERNAME, INSTALLED, running
from benchmarks.table import BY_HAND, OURS, Row, interleaved
from benchmarks.workflow import Workflow
from pytest_cloudrepo.client import Server

MILLI = 1000
# Only these plugins are loaded, as in a project that has no others.
PLUGINS = ("-p", "xprocess", "-p", "pytest_cloudrepo.plugin")
_EMPTY = """
def test_it():
    pass
"""
_PUBLISH = """
def test_it(cloudrepo, cloudrepo_package):
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
"""
_BUILD_UPLOAD_INSTALL = """
def test_it(cloudrepo, cloudrepo_project, cloudrepo_venv):
    cloudrepo.upload(*cloudrepo_project("demo", "1.0").build())
    cloudrepo_venv.install("demo", index=cloudrepo)
    cloudrepo_venv.run("-c", "import demo")
"""


def run_session(folder: Path, *options: str) -> float:
    """Run pytest in a folder, and return the seconds that it takes.

    Raises:
        RuntimeError: a test failed.
    """
    start = time.perf_counter()
    completed = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options],
        cwd=folder,
        env={**INSTALLED, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if completed.returncode:
        raise RuntimeError(f"pytest failed in {folder}:\n{completed.stdout}{completed.stderr}")
    return seconds


def one_test(folder: Path, rounds: int) -> list[Row]:
    """Measure pytest sessions with one test, after one warm-up run of each session."""
    numbers = count()

    def session(text: str, *options: str) -> Callable[[], float]:
        project = folder / f"project{next(numbers)}"
        project.mkdir()
        configuration = "[pytest]\n"
        if options:
            # This project has its own cache of templates, which the first round fills.
            configuration += f"cloudrepo_cache_dir = {folder / 'cache'}\n"
        (project / "pytest.ini").write_text(configuration)
        (project / "test_it.py").write_text(text)
        return lambda: run_session(project, *options) * MILLI

    with running(OURS, folder / "server") as process:
        server = Server(process.url, ADMIN_USERNAME, ADMIN_PASSWORD, folder=folder)
        flow = Workflow(folder, server)
        times = interleaved(
            {
                "empty": session(_EMPTY),
                "publish": session(_PUBLISH, *PLUGINS),
                "build, upload, install": session(_BUILD_UPLOAD_INSTALL, *PLUGINS),
                BY_HAND: partial(flow.measure, flow.by_hand),
            },
            max(3, rounds // 3),
        )
        server.close()
    return [
        Row("pytest session with an empty test", "ms", {OURS: times["empty"]}),
        Row(
            "time that a repository and a `publish` in the test add to this session",
            "ms",
            {OURS: times["publish"] - times["empty"]},
            "250 ms",
        ),
        Row(
            "pytest session with one test that builds, uploads and installs with pip",
            "ms",
            {OURS: times["build, upload, install"], BY_HAND: times[BY_HAND]},
            f"0.18 x {BY_HAND}",
            BY_HAND,
        ),
    ]
