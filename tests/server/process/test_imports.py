"""A server starts with what its first answers need, and has the rest when it is wanted."""

import subprocess
import sys

import pytest

STARTED = "import cloudrepo_server.cli, sys; "


def answers(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", STARTED + code],
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stderr == ""
    return run.stdout.strip()


@pytest.mark.parametrize(
    "module",
    [
        "aiohttp.client",
        "cloudrepo_server.clients",
        "cloudrepo_server.storage.connect",
        "cloudrepo_server.storage.shared",
        "cloudrepo_server.domain.garbage",
        "h11",
        "jinja2",
        "psutil",
        "trustme",
        "zipfile",
    ],
)
def test_a_start_imports_nothing_that_may_never_be_used(module: str) -> None:
    assert answers(f"print({module!r} in sys.modules)") == "False"


def test_the_rest_of_aiohttp_is_there_when_it_is_wanted() -> None:
    code = "import aiohttp; print(aiohttp.ClientSession.__module__, aiohttp.__version__ != '')"
    assert answers(code) == "aiohttp.client True"


def test_what_aiohttp_does_not_have_is_missed_as_ever() -> None:
    code = "import aiohttp; print(hasattr(aiohttp, 'Nonsense'))"
    assert answers(code) == "False"
