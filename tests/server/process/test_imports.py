"""A server starts without importing the modules that only some servers need."""

import ast
import subprocess
import sys

import pytest

START = """
import asyncio
import sys

import cloudrepo_server.cli
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings


async def start():
    async with running_server(ServerSettings()):
        print(sorted(sys.modules))


asyncio.run(start())
"""


def run(code: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    )
    assert ended.stderr == ""
    return ended.stdout.strip()


@pytest.fixture(scope="module")
def modules_of_a_started_server() -> list[str]:
    names: list[str] = ast.literal_eval(run(START))
    return names


@pytest.mark.parametrize(
    "module",
    [
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
        "zipfile",
    ],
)
def test_a_start_does_not_import_what_few_servers_need(
    modules_of_a_started_server: list[str], module: str
) -> None:
    assert "cloudrepo_server.web.app" in modules_of_a_started_server
    assert module not in modules_of_a_started_server


@pytest.mark.parametrize("module", ["aiohttp", "obstore"])
def test_the_parser_does_not_import_the_server(module: str) -> None:
    parser = "import sys, cloudrepo_server.cli; cloudrepo_server.cli.create_parser()"
    assert run(f"{parser}; print({module!r} in sys.modules)") == "False"
