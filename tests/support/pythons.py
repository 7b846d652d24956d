"""What the tests of more than one module need."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from pytest_cloudrepo.factories import VirtualEnvFactory
    from pytest_cloudrepo.venv import VirtualEnv

RELEASES = range(10, 16)


def of_another_python(factory: VirtualEnvFactory) -> VirtualEnv:
    """An environment of a Python that is not the one that runs the tests."""
    for release in RELEASES:
        if release != sys.version_info.minor:
            try:
                return factory(python=f"3.{release}")
            except CloudRepoError:
                continue
    pytest.skip("there is no other Python here")
