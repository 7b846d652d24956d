"""Sign-ins slowed down after failures."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import monotonic

from cachetools import TTLCache

FREE_TRIES = 5
FREE_TRIES_OF_ADDRESS = 20
MAX_WAIT = 60
_FORGOTTEN_AFTER = 15 * 60
_REMEMBERED = 4096


@dataclass(slots=True)
class _Failures:
    number: int = 0
    next_try: float = 0.0


class SignInThrottle:
    """Who tried to sign in and failed, for a while.

    A try is counted when it begins, so that many at once are not all free. It is who tries that
    waits, not the server.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: TTLCache[bytes, _Failures] = TTLCache(
            _REMEMBERED, _FORGOTTEN_AFTER, timer=clock
        )

    def __len__(self) -> int:
        """How many users and addresses are remembered."""
        return len(self._failures)

    def begin(self, address: str, username: str) -> int:
        """Count a try, or give the seconds until one is allowed."""
        now = self._clock()
        counted = self._of(address, username)
        wait = max(failures.next_try for failures, _ in counted.values()) - now
        if wait > 0:
            return ceil(wait)
        for key, (failures, free) in counted.items():
            failures.number += 1
            if failures.number >= free:
                failures.next_try = now + min(2 ** (failures.number - free), MAX_WAIT)
            self._failures[key] = failures
        return 0

    def succeed(self, address: str, username: str) -> None:
        """Forget the failures before a success."""
        for key in self._of(address, username):
            self._failures.pop(key, None)

    def _of(self, address: str, username: str) -> dict[bytes, tuple[_Failures, int]]:
        # Digests, since a user name is as long as somebody likes.
        keys = {
            _digest("user", address, username.casefold()): FREE_TRIES,
            _digest("address", address): FREE_TRIES_OF_ADDRESS,
        }
        return {key: (self._failures.get(key) or _Failures(), free) for key, free in keys.items()}


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).digest()
