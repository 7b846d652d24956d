"""The way between a server and its store, on which requests and answers get lost."""

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
_HEAD = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")


class Fate(Enum):
    """What becomes of a request."""

    PASSES = auto()
    IS_REFUSED = auto()
    """The connection is closed before it got through."""
    IS_CUT = auto()
    """The connection is closed when a part of it got through."""
    WAITS = auto()
    """It is neither passed on nor answered, until the way is closed."""
    IS_TOLD_TO_WAIT = auto()
    """It is answered 503, as a store that has too much to do answers."""
    CONFLICTS = auto()
    """It is answered 409, as Amazon answers one of two that write under one condition."""
    LOSES_ITS_ANSWER = auto()
    """It gets through, and the connection is closed in place of an answer."""
    GETS_HALF_AN_ANSWER = auto()
    """It gets through, and the connection is closed in the middle of its answer."""
    ITS_ANSWER_WAITS = auto()
    """It gets through, and its answer is kept until the way is closed."""


Judge = Callable[[str, str], Fate]
_ANSWERS = {
    Fate.IS_TOLD_TO_WAIT: (
        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ),
    Fate.CONFLICTS: (
        b"HTTP/1.1 409 Conflict\r\nContent-Type: application/xml\r\nContent-Length: 66\r\n"
        b"Connection: close\r\n\r\n"
        b"<Error><Code>ConditionalRequestConflict</Code><Message/></Error>\r\n"
    ),
}
_ENDING = (Fate.IS_REFUSED, Fate.WAITS, *_ANSWERS)


def passes(_method: str, _path: str) -> Fate:
    """Let every request through."""
    return Fate.PASSES


class Way:
    """A listener that passes everything on to a store, as `judge` says of each request."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._store = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closed = threading.Event()
        self.judge: Judge = passes
        self.hear: Callable[[bytes], object] = len
        """Takes the head of each request."""
        self.judged: list[tuple[str, str, Fate]] = []
        self.answered: list[tuple[str, str]] = []
        """What the store began to answer, whether that was passed on or not."""
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

    def met(self, fate: Fate) -> int:
        """How many requests met this fate."""
        return sum(each == fate for _, _, each in self.judged)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._store) as store:
            connection = _Connection(self, client, store)
            threading.Thread(target=connection.answer, daemon=True).start()
            connection.ask()

    def decide(self, method: str, path: str) -> Fate:
        """What becomes of a request."""
        fate = self.judge(method, path)
        self.judged.append((method, path, fate))
        return fate

    def wait(self) -> None:
        """Wait until this is over."""
        self._closed.wait()


class _Connection:
    def __init__(self, way: Way, client: socket.socket, store: socket.socket) -> None:
        self._way = way
        self._client = client
        self._store = store
        self._fate = Fate.PASSES
        self._asked: tuple[str, str] | None = None

    def ask(self) -> None:
        while data := self._client.recv(_CHUNK):
            head = _HEAD.match(data)
            if head is not None:
                self._way.hear(data)
                self._asked = head[1].decode(), head[2].decode()
                self._fate = self._way.decide(*self._asked)
            if self._fate is Fate.WAITS:
                self._way.wait()
            if self._fate in _ENDING:
                self._client.sendall(_ANSWERS.get(self._fate, b""))
                break
            if self._fate is Fate.IS_CUT:
                self._store.sendall(data[: len(data) // 2])
                break
            self._store.sendall(data)
        self._end()

    def answer(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._store.recv(_CHUNK):
                if self._asked is not None:
                    self._way.answered.append(self._asked)
                    self._asked = None
                if self._fate is Fate.ITS_ANSWER_WAITS:
                    self._way.wait()
                    break
                if self._fate is Fate.LOSES_ITS_ANSWER:
                    break
                if self._fate is Fate.GETS_HALF_AN_ANSWER:
                    self._client.sendall(data[: len(data) // 2])
                    break
                self._client.sendall(data)
        self._end()

    def _end(self) -> None:
        for each in (self._client, self._store):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
