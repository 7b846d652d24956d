"""Rate limiting of sign-in attempts after failures.

There are two limits. A client whose attempts fail must wait, longer after each failure. Attempts
during the wait are rejected. Attempts for one user name that come from many clients take turns: an
attempt is delayed, but its password is still checked. A browser that has signed in before counts as
a client of its own, and needs no turn. So the failures of other clients never affect it.
"""

import hashlib
import secrets
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic

from cachetools import TTLCache

# The attempts for one user name, by one client, after which the client must wait.
_FREE_ATTEMPTS = 5
# The attempts for any user names, by one client, after which the client must wait.
_FREE_ATTEMPTS_PER_CLIENT = 20
# The longest wait between two attempts, in seconds.
_MAX_WAIT = 60.0
# The attempts for one user name, by all clients, that need no turn.
_FREE_ATTEMPTS_PER_USER = 20
_SECONDS_PER_TURN = 1.0
# The longest delay of an attempt that waits for its turn; attempts beyond it are rejected.
_MAX_DELAY = 10.0
_EXPIRY_SECONDS = 15 * 60.0
_MAX_ENTRIES = 4096
_NETWORK_BITS = 64


@dataclass(slots=True)
class _Failures:
    count: int = 0
    next_attempt: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """Whether an attempt may proceed: it is rejected for `wait` seconds, or delayed by `delay`."""

    wait: int = 0
    delay: float = 0.0


class SignInThrottle:
    """Recent sign-in failures, by client, by user name at that client, and by user name.

    An attempt counts as a failure from its start until it succeeds. So a client gains nothing by
    sending many attempts at once.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: TTLCache[bytes, _Failures] = TTLCache(
            _MAX_ENTRIES, _EXPIRY_SECONDS, timer=clock
        )
        # The time of the next turn of each user name, by a secret digest. A table of a fixed size
        # needs no eviction, so nobody can make the server forget a user's failures.
        self._turns = array("d", bytes(8 * _MAX_ENTRIES))
        self._secret = secrets.token_bytes(16)

    def __len__(self) -> int:
        """Return the number of clients and user names at clients that are tracked."""
        return len(self._failures)

    def start_attempt(
        self, address: str, username: str, *, known_browser: str | None = None
    ) -> Attempt:
        """Count an attempt, and return whether it may proceed.

        Args:
            address: the IP address of the client.
            username: the user name.
            known_browser: the id of the browser, if it has signed in before.
        """
        now = self._clock()
        tracked = self._tracked(_client(address, known_browser), username)
        wait = max(failures.next_attempt for failures, _ in tracked.values()) - now
        turn, delay = self._turn(username), 0.0
        if known_browser is None:
            delay = max(self._turns[turn] - now, 0.0)
            if delay > _MAX_DELAY:
                wait = max(wait, delay)
        if wait > 0:
            return Attempt(wait=ceil(wait))
        for key, (failures, free) in tracked.items():
            failures.count += 1
            if failures.count >= free:
                failures.next_attempt = now + min(2 ** (failures.count - free), _MAX_WAIT)
            self._failures[key] = failures
        if known_browser is None:
            earliest = now - _FREE_ATTEMPTS_PER_USER * _SECONDS_PER_TURN
            self._turns[turn] = max(self._turns[turn], earliest) + _SECONDS_PER_TURN
        return Attempt(delay=delay)

    def succeed(self, address: str, username: str, *, known_browser: str | None = None) -> None:
        """Forget the client's failures, and give back the turn of this attempt."""
        for key in self._tracked(_client(address, known_browser), username):
            self._failures.pop(key, None)
        if known_browser is None:
            self._turns[self._turn(username)] -= _SECONDS_PER_TURN

    def _tracked(self, client: str, username: str) -> dict[bytes, tuple[_Failures, int]]:
        # Digests as keys bound the memory: clients choose how long a user name is.
        free_attempts = {
            _digest("user", client, username.casefold()): _FREE_ATTEMPTS,
            _digest("client", client): _FREE_ATTEMPTS_PER_CLIENT,
        }
        return {
            key: (self._failures.get(key) or _Failures(), free)
            for key, free in free_attempts.items()
        }

    def _turn(self, username: str) -> int:
        name = username.casefold().encode(errors="surrogateescape")
        digest = hashlib.blake2b(name, key=self._secret, digest_size=8).digest()
        return int.from_bytes(digest) % len(self._turns)


def _client(address: str, known_browser: str | None) -> str:
    if known_browser is not None:
        return f"browser {known_browser}"
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        # A client can use every address of its network.
        return f"network {int(parsed) >> _NETWORK_BITS:x}"
    return str(parsed)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).digest()
