"""A server starts without importing the modules that only some servers need."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.imported_modules import PROFILED, imported_modules
from tests.support.process import ServerProcess

IMPORTS = """
from cloudrepo_server.process.imports import fast_imports

with fast_imports():
    import aiohttp.web
"""

# Two threads use different names of the client of aiohttp at the same time.
USES_AIOHTTP_IN_TWO_THREADS = """
import sys, threading

both = threading.Barrier(2, timeout=60)
sys.setswitchinterval(1e-6)
found = []

def use(name):
    both.wait()
    found.append(getattr(aiohttp, name).__name__)

threads = [threading.Thread(target=use, args=[name]) for name in ("ClientSession", "BasicAuth")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*sorted(found))
"""


def run(code: str, *, folder: Path | None = None) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert ended.stderr == ""
    return ended.stdout.strip()


@pytest.fixture(scope="module")
def modules_of_a_started_server(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("imports")
    server = ServerProcess(folder, environ={PROFILED: "1"})
    server.state()
    server.kill()
    return imported_modules(server.log)


@pytest.mark.parametrize(
    "module",
    [
        "aiohttp.client",
        "cloudrepo_server.cli.check",
        "cloudrepo_server.clients",
        "cloudrepo_server.domain.garbage",
        "cloudrepo_server.specs.identity_providers.table",
        "cloudrepo_server.storage.connect",
        "cloudrepo_server.storage.shared",
        "cryptography",
        "h11",
        "jinja2",
        "jwt",
        "psutil",
        "trustme",
        "xml.etree.ElementTree",
        "zipfile",
    ],
)
def test_a_start_does_not_import_what_few_servers_need(
    modules_of_a_started_server: set[str], module: str
) -> None:
    assert "cloudrepo_server.web.app" in modules_of_a_started_server
    assert module not in modules_of_a_started_server


@pytest.mark.parametrize("module", ["aiohttp", "obstore"])
def test_the_parser_does_not_import_the_server(module: str) -> None:
    parser = "import sys, cloudrepo_server.cli; cloudrepo_server.cli.create_parser()"
    assert run(f"{parser}; print({module!r} in sys.modules)") == "False"


def test_the_client_of_aiohttp_is_imported_at_its_first_use() -> None:
    code = "print(aiohttp.ClientSession.__module__, hasattr(aiohttp, 'Nothing'), type(aiohttp))"
    assert run(IMPORTS + code) == "aiohttp.client False <class 'module'>"


def test_the_client_of_aiohttp_names_its_version_to_servers() -> None:
    code = "import aiohttp.client_reqrep as module; print(module.SERVER_SOFTWARE)"
    assert run(IMPORTS + code).endswith(f" aiohttp/{version('aiohttp')}")


def test_two_threads_can_import_the_client_of_aiohttp_at_the_same_time() -> None:
    assert run(IMPORTS + USES_AIOHTTP_IN_TWO_THREADS) == "BasicAuth ClientSession"


@pytest.mark.parametrize(
    "package", ['__version__ = "4.0"\nclass Client: pass\n', "class Client: pass\n"]
)
def test_a_release_of_aiohttp_whose_server_needs_the_whole_package_is_imported_completely(
    tmp_path: Path, package: str
) -> None:
    (tmp_path / "aiohttp").mkdir()
    (tmp_path / "aiohttp/__init__.py").write_text(package)
    (tmp_path / "aiohttp/web.py").write_text("from aiohttp import Client\n")
    assert run(f"{IMPORTS}print(aiohttp.web.Client.__name__)", folder=tmp_path) == "Client"


def test_garbage_is_collected_again_after_the_imports() -> None:
    assert run(f"{IMPORTS}import gc; print(gc.isenabled())") == "True"
