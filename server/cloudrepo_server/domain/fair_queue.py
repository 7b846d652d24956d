"""A fair queue for slow work, such as hashing passphrases."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

Waiting = deque[asyncio.Future[None]]


class FairQueue:
    """Admits a few tasks at a time: users take turns, and so do the clients of each user.

    However many tasks one user has, the task of another user waits for one turn of each user at
    most. The same is true for the clients of one user.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        # Both dictionaries are in the order of turns.
        self._waiting: dict[str, dict[str, Waiting]] = {}

    @contextlib.asynccontextmanager
    async def turn(self, user: str, client: str) -> AsyncIterator[None]:
        """Wait for a turn, and keep it for the duration of the context.

        Args:
            user: the user whose passphrase is checked or changed.
            client: the address of the client that sent the request.
        """
        await self._acquire(user, client)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, user: str, client: str) -> None:
        if self._free:
            self._free -= 1
            return
        admitted = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, {}).setdefault(client, deque()).append(admitted)
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            admitted = self._next()
            # A task that was cancelled is still in the queue.
            if not admitted.done():
                admitted.set_result(None)
                return
        self._free += 1

    def _next(self) -> asyncio.Future[None]:
        user, clients = next(iter(self._waiting.items()))
        client, waiting = next(iter(clients.items()))
        admitted = waiting.popleft()
        # The next turn is another user's, and the user's next turn is another client's.
        del clients[client], self._waiting[user]
        if waiting:
            clients[client] = waiting
        if clients:
            self._waiting[user] = clients
        return admitted
