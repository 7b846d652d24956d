"""A project that has the plugin and does not use it pays next to nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

COSTLY = {"aiohttp", "build", "cloudrepo_server", "msgspec", "obstore", "requests", "twine"}
COSTLY |= {"urllib3", "virtualenv", "uvloop", "psutil", "xprocess"}


@pytest.mark.parametrize("arguments", [("--collect-only",), ("-n1",)], ids=" ".join)
def test_the_plugin_imports_nothing_costly_before_it_is_used(
    suite: Suite, arguments: tuple[str, ...]
) -> None:
    suite.write(
        test_it=f"""
import sys

def test_nothing():
    assert {COSTLY} & {{name.partition(".")[0] for name in sys.modules}} == set()
"""
    )
    # pytest-xprocess imports itself and psutil at every start; without it, it shows who else does.
    suite.plugins.remove("xprocess")
    outcome = suite.run(*arguments, python=("-X", "importtime"))
    assert outcome.status == 0, outcome
    imported = set(re.findall(r"^import time:.*\| +(\w+)", outcome.output, re.MULTILINE))
    assert "pytest_cloudrepo" in imported
    assert imported & COSTLY == set()


def test_a_test_that_uses_the_plugin_imports_no_program(suite: Suite) -> None:
    suite.write(
        test_it="""
import sys

def test_uses_it(cloudrepo, cloudrepo_project, cloudrepo_venv):
    cloudrepo.upload(*cloudrepo_project("demo", "1.0").build(sdist=False))
    programs = {"aiohttp", "build", "obstore", "pip", "twine", "virtualenv"}
    assert programs & {name.partition(".")[0] for name in sys.modules} == set()
"""
    )
    outcome = suite.run()
    assert outcome.counts() == {"passed": 1}, outcome
