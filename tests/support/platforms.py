"""Markers for tests of what only some platforms have."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

import pytest

WINDOWS: Final = sys.platform == "win32"


NEEDS_MARKDOWN: Final = pytest.mark.skipif(
    find_spec("comrak") is None, reason="the renderer of Markdown has no wheel for this Python"
)


def needs_posix(feature: str) -> pytest.MarkDecorator:
    """Return a marker that skips a test on Windows, which lacks this feature."""
    return pytest.mark.skipif(WINDOWS, reason=f"Windows has no {feature}")
