"""Releases that even the oldest client can install."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_cloudrepo.graph import Graph, ReleaseDetails

EVERY_PYTHON: Final = ("py2-none-any", "py3-none-any")
# The newest version that clients of 2018 can read.
METADATA_VERSION: Final = "2.1"

PLAIN: Final[ReleaseDetails] = {"metadata_version": METADATA_VERSION, "tags": EVERY_PYTHON}
GRAPH: Final[Graph] = {
    "app": {
        "1.0": {
            **PLAIN,
            "requires": ["base"],
            "extras": {"more": ["extra"]},
            "entry_points": {"console_scripts": {"app": "app:main"}},
        },
    },
    "base": {
        "1.0": PLAIN,
        "1.1": {**PLAIN, "yanked": "it is broken"},
        "2.0": {**PLAIN, "requires_python": ">=99"},
    },
    "extra": {"1.0": PLAIN},
}
"""An application and its dependencies. Of `base`, only release 1.0 may be installed."""
REQUIREMENT: Final = "app[more]"
VERSIONS: Final = {"app": "1.0", "base": "1.0", "extra": "1.0"}
"""The versions that a client must install for the requirement."""
