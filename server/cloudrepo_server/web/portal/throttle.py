"""Rate limiting of sign-in attempts after failures."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import monotonic

from cachetools import TTLCache

FREE_ATTEMPTS = 5
FREE_ATTEMPTS_PER_ADDRESS = 20
MAX_WAIT = 60
_EXPIRY_SECONDS = 15 * 60
_MAX_ENTRIES = 4096


@dataclass(slots=True)
class _Failures:
    count: int = 0
    next_attempt: float = 0.0


class SignInThrottle:
    """Recent sign-in failures, by client address and by user name at that address.

    An attempt counts as a failure from its start until it succeeds. So a client gains nothing by
    sending many attempts at once. Only the client waits: its attempts are rejected meanwhile.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: TTLCache[bytes, _Failures] = TTLCache(
            _MAX_ENTRIES, _EXPIRY_SECONDS, timer=clock
        )

    def __len__(self) -> int:
        """Return the number of addresses and user names that are tracked."""
        return len(self._failures)

    def start_attempt(self, address: str, username: str) -> int:
        """Count an attempt and return 0, or return the seconds to wait before the next one."""
        now = self._clock()
        tracked = self._tracked(address, username)
        wait = max(failures.next_attempt for failures, _ in tracked.values()) - now
        if wait > 0:
            return ceil(wait)
        for key, (failures, free) in tracked.items():
            failures.count += 1
            if failures.count >= free:
                failures.next_attempt = now + min(2 ** (failures.count - free), MAX_WAIT)
            self._failures[key] = failures
        return 0

    def reset(self, address: str, username: str) -> None:
        """Forget the failures of an address and user name, after a successful sign-in."""
        for key in self._tracked(address, username):
            self._failures.pop(key, None)

    def _tracked(self, address: str, username: str) -> dict[bytes, tuple[_Failures, int]]:
        # Digests as keys bound the memory: clients choose how long a user name is.
        free_attempts = {
            _digest("user", address, username.casefold()): FREE_ATTEMPTS,
            _digest("address", address): FREE_ATTEMPTS_PER_ADDRESS,
        }
        return {
            key: (self._failures.get(key) or _Failures(), free)
            for key, free in free_attempts.items()
        }


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).digest()
