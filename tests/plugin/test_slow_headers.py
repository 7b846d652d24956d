"""The fault `slow-headers`, and how real installers apply their timeouts to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.real_client import INSTALLERS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_cloudrepo import Repository


@pytest.mark.parametrize(("installer", "waits"), [("pip", True), ("uv", False)])
def test_the_timeout_of_pip_begins_again_with_each_byte_and_that_of_uv_does_not(
    cloudrepo: Repository,
    installer: str,
    waits: bool,  # noqa: FBT001 (a parameter of the test)
    tmp_path: Path,
) -> None:
    cloudrepo.publish_all({"demo": {"1.0": []}})
    fault = cloudrepo.fault("slow-headers", seconds=1.5, path="/demo/")
    command = (*INSTALLERS[installer], "install", "--target", tmp_path / "target", "demo")
    timeout = {"PIP_TIMEOUT": "1", "UV_HTTP_TIMEOUT": "1"}
    environ = cloudrepo.environ_for(installer, retries=0) | timeout
    assert cloudrepo.run(*command, environ=environ, check=False).ok is waits
    assert fault.struck == 1
