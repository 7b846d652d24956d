"""Markers for tests of what only some platforms have."""

from __future__ import annotations

import ctypes
import sys
from importlib.util import find_spec
from typing import Final

import pytest

WINDOWS: Final = sys.platform == "win32"


def _is_wine() -> bool:
    """Return whether this is Wine, which runs programs for Windows on other systems."""
    return sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def not_in_wine(bug: str) -> pytest.MarkDecorator:
    """Return a marker that skips a test in Wine, because of a bug of Wine.

    Args:
        bug: what Wine does wrong, as a verb phrase.
    """
    return pytest.mark.skipif(_is_wine(), reason=f"Wine {bug}")


# pip asks Windows to verify certificates. For an IP address, Wine rejects a structure in this call
# as invalid. For a host name, Wine accepts the certificate before it checks the structure.
NEEDS_CERTIFICATES_OF_IP_ADDRESSES: Final = not_in_wine(
    "does not compare IP addresses with certificates"
)

NEEDS_MARKDOWN: Final = pytest.mark.skipif(
    find_spec("comrak") is None, reason="the renderer of Markdown has no wheel for this Python"
)

NEEDS_VENV: Final = pytest.mark.skipif(
    find_spec("venv") is None, reason="this Python lacks the module venv, as embeddable ones do"
)


def _has_no_console() -> bool:
    """Return whether this is Windows, and the process has no console, as in a service."""
    return sys.platform == "win32" and not ctypes.windll.kernel32.GetConsoleCP()


STOPS_GRACEFULLY: Final = not _has_no_console()
NEEDS_GRACEFUL_STOP: Final = pytest.mark.skipif(
    not STOPS_GRACEFULLY, reason="without a console, a server on Windows can only be killed"
)


def needs_posix(feature: str) -> pytest.MarkDecorator:
    """Return a marker that skips a test on Windows, which lacks this feature."""
    return pytest.mark.skipif(WINDOWS, reason=f"Windows has no {feature}")


def needs_windows(feature: str) -> pytest.MarkDecorator:
    """Return a marker that skips a test on all platforms but Windows, as they lack a feature."""
    return pytest.mark.skipif(not WINDOWS, reason=f"only Windows has {feature}")
