"""Deprecated: import `Secret` from `pytest_cloudrepo`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_cloudrepo._programs.secret import Secret

__all__ = ["Secret"]


def __getattr__(name: str) -> object:
    if name != "Secret":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_cloudrepo._programs import secret

    warnings.warn(
        "pytest_cloudrepo.secret is deprecated: import Secret from pytest_cloudrepo instead",
        DeprecationWarning,
        stacklevel=2,
    )
    return secret.Secret
