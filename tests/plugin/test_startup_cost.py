"""The plugin imports no slow module before a test uses a fixture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

SLOW_IMPORTS = {"aiohttp", "build", "cloudrepo_server", "msgspec", "obstore", "requests", "twine"}
SLOW_IMPORTS |= {"urllib3", "virtualenv", "uvloop", "psutil", "xprocess"}


@pytest.mark.parametrize("arguments", [("--collect-only",), ("-n1",)], ids=" ".join)
def test_the_plugin_imports_nothing_slow_before_it_is_used(
    suite: Suite, arguments: tuple[str, ...]
) -> None:
    suite.write(
        test_it=f"""
import sys

def test_nothing():
    assert {SLOW_IMPORTS} & {{name.partition(".")[0] for name in sys.modules}} == set()
"""
    )
    # pytest-xprocess's own plugin imports psutil at every start, which would hide other imports.
    suite.plugins.remove("xprocess")
    outcome = suite.run(*arguments, python=("-X", "importtime"))
    assert outcome.status == 0, outcome
    imported = set(re.findall(r"^import time:.*\| +(\w+)", outcome.output, re.MULTILINE))
    assert "pytest_cloudrepo" in imported
    assert imported & SLOW_IMPORTS == set()


def test_a_test_that_uses_the_plugin_does_not_import_the_tools(suite: Suite) -> None:
    suite.write(
        test_it="""
import sys

def test_uses_it(cloudrepo, cloudrepo_project, cloudrepo_venv):
    cloudrepo.upload(*cloudrepo_project("demo", "1.0").build(sdist=False))
    tools = {"aiohttp", "build", "obstore", "pip", "twine", "virtualenv"}
    assert tools & {name.partition(".")[0] for name in sys.modules} == set()
"""
    )
    outcome = suite.run()
    assert outcome.counts() == {"passed": 1}, outcome
