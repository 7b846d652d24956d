"""Turns preloaded tools on or off, and stops them at the end of the pytest session."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

_MODULE: Final = "pytest_cloudrepo._programs.preloaded_tools"


def configure(config: pytest.Config, *, enabled: bool) -> None:
    """Turn preloaded tools on or off for this session, and stop their process when it ends."""
    if not enabled:
        from pytest_cloudrepo._programs.preloaded_tools import PRELOADED  # few sessions need it

        config.add_cleanup(PRELOADED.disable())
    config.add_cleanup(_stop)


def _stop() -> None:
    module = sys.modules.get(_MODULE)
    if module is not None:  # otherwise no tool was preloaded
        module.PRELOADED.stop()
