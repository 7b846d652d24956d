"""Deprecated: import `Secret` from `pytest_cloudrepo`."""

from __future__ import annotations

import warnings
from typing import Any


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any name can be requested
    if name != "Secret":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_cloudrepo._programs.secret import Secret

    warnings.warn(
        "pytest_cloudrepo.secret is deprecated: import Secret from pytest_cloudrepo instead",
        DeprecationWarning,
        stacklevel=2,
    )
    return Secret
