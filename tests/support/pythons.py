"""The Pythons on this machine, for tests that need a second one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from pytest_cloudrepo.factories import VirtualEnvFactory
    from pytest_cloudrepo.venv import VirtualEnv

MINOR_VERSIONS = range(10, 16)


def venv_of_another_python(factory: VirtualEnvFactory) -> VirtualEnv:
    """Return a virtual environment of a Python other than the one that runs the tests.

    Skips the test if this machine has no other Python.
    """
    for minor in MINOR_VERSIONS:
        if minor != sys.version_info.minor:
            try:
                return factory(python=f"3.{minor}")
            except CloudRepoError:
                continue
    pytest.skip("no other Python is installed")
