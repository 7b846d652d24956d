"""The duration of tests with random input: short by default, long in a nightly run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

NIGHTLY = float(os.environ.get("CLOUDREPO_NIGHTLY") or 0)
"""The number of nights that the environment requests: 1 in `tox -e nightly`, or a fraction."""


def repetitions(suite: int, nightly: int) -> int:
    """Return a number of repetitions: `suite`, or more in a nightly run."""
    return max(suite, round(nightly * NIGHTLY))


def search_settings(suite: int, nightly: int, *, steps: int = 50) -> settings:
    """Return Hypothesis settings; in the suite, the examples are the same each time."""
    return settings(
        max_examples=repetitions(suite, nightly),
        deadline=None,
        derandomize=not NIGHTLY,
        database=None,
        # Shrinking a failure takes minutes.
        phases=list(Phase) if NIGHTLY else [Phase.generate],
        print_blob=bool(NIGHTLY),
        # Requests to a server take different times on different machines.
        suppress_health_check=list(HealthCheck),
        stateful_step_count=steps,
    )
