"""How long the tests that look for the unexpected go on: briefly, or for a night."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

NIGHTLY = float(os.environ.get("CLOUDREPO_NIGHTLY") or 0)
"""How many nights of it the environment asks for: 1 as in `tox -e nightly`, or a part of one."""


def often(suite: int, nightly: int) -> int:
    """How often to do something."""
    return max(suite, round(nightly * NIGHTLY))


def searching(suite: int, nightly: int, *, steps: int = 50) -> settings:
    """Settings for as many examples, of `steps` each; in the suite they are the same each time."""
    return settings(
        max_examples=often(suite, nightly),
        deadline=None,
        derandomize=not NIGHTLY,
        database=None,
        # To make a failure short takes minutes.
        phases=list(Phase) if NIGHTLY else [Phase.generate],
        print_blob=bool(NIGHTLY),
        # A server is asked, and machines differ.
        suppress_health_check=list(HealthCheck),
        stateful_step_count=steps,
    )
