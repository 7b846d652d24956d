"""A proxy between a server and its store, which loses requests and responses on purpose."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from enum import Enum, auto
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 1 << 16
_REQUEST_LINE = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")


class Action(Enum):
    """What the proxy does with a request."""

    FORWARD = auto()
    REFUSE_CONNECTION = auto()
    """Close the connection before the store receives anything."""
    CUT_REQUEST = auto()
    """Close the connection after the store received a part of the request."""
    HANG = auto()
    """Neither forward nor respond until the proxy is closed."""
    RESPOND_503 = auto()
    """Respond 503, as an overloaded store does."""
    RESPOND_409 = auto()
    """Respond 409, as Amazon S3 does to one of two concurrent conditional writes."""
    DROP_RESPONSE = auto()
    """Forward the request, and close the connection instead of forwarding the response."""
    CUT_RESPONSE = auto()
    """Forward the request, and close the connection in the middle of the response."""
    HOLD_RESPONSE = auto()
    """Forward the request, and hold the response back until the proxy is closed."""


Policy = Callable[[str, str], Action]
"""Returns the action for a request with this method and path."""
_RESPONSES = {
    Action.RESPOND_503: (
        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ),
    Action.RESPOND_409: (
        b"HTTP/1.1 409 Conflict\r\nContent-Type: application/xml\r\nContent-Length: 66\r\n"
        b"Connection: close\r\n\r\n"
        b"<Error><Code>ConditionalRequestConflict</Code><Message/></Error>\r\n"
    ),
}
_NOT_FORWARDED = (Action.REFUSE_CONNECTION, Action.HANG, *_RESPONSES)


def forward_all(_method: str, _path: str) -> Action:
    """Forward every request: the policy of a network without failures."""
    return Action.FORWARD


class FlakyNetwork:
    """A proxy in front of a store; `policy` returns the action for each request."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._store = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closed = threading.Event()
        self.policy: Policy = forward_all
        self.on_request_head: Callable[[bytes], object] = len
        """Receives the first bytes of each request."""
        self.requests: list[tuple[str, str, Action]] = []
        """The method and path of each request, and what was done with it."""
        self.responded: list[tuple[str, str]] = []
        """The requests that the store responded to, even if the response was not forwarded."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._listener.close()

    def count(self, action: Action) -> int:
        """Return the number of requests for which the proxy took this action."""
        return sum(each == action for _, _, each in self.requests)

    def decide(self, method: str, path: str) -> Action:
        """Return the action for a request, and record both."""
        action = self.policy(method, path)
        self.requests.append((method, path, action))
        return action

    def wait_until_closed(self) -> None:
        self._closed.wait()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._store) as store:
            connection = _Connection(self, client, store)
            threading.Thread(target=connection.forward_responses, daemon=True).start()
            connection.forward_requests()


class _Connection:
    def __init__(self, network: FlakyNetwork, client: socket.socket, store: socket.socket) -> None:
        self._network = network
        self._client = client
        self._store = store
        self._action = Action.FORWARD
        self._current: tuple[str, str] | None = None

    def forward_requests(self) -> None:
        while data := self._client.recv(_CHUNK):
            head = _REQUEST_LINE.match(data)
            if head is not None:
                self._network.on_request_head(data)
                self._current = head[1].decode(), head[2].decode()
                self._action = self._network.decide(*self._current)
            if self._action is Action.HANG:
                self._network.wait_until_closed()
            if self._action in _NOT_FORWARDED:
                self._client.sendall(_RESPONSES.get(self._action, b""))
                break
            if self._action is Action.CUT_REQUEST:
                self._store.sendall(data[: len(data) // 2])
                break
            self._store.sendall(data)
        self._shut_down()

    def forward_responses(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._store.recv(_CHUNK):
                if self._current is not None:
                    self._network.responded.append(self._current)
                    self._current = None
                if self._action is Action.HOLD_RESPONSE:
                    self._network.wait_until_closed()
                    break
                if self._action is Action.DROP_RESPONSE:
                    break
                if self._action is Action.CUT_RESPONSE:
                    self._client.sendall(data[: len(data) // 2])
                    break
                self._client.sendall(data)
        self._shut_down()

    def _shut_down(self) -> None:
        for each in (self._client, self._store):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
