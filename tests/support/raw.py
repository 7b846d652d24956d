"""A raw HTTP connection, which can also send invalid or incomplete requests."""

from __future__ import annotations

import base64
import contextlib
import errno
import http.client
import select
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A response exactly as the server sent it."""

    version: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """A socket that is connected to the server."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._reader = connected.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, size: int) -> bytes:
        """Return this number of bytes, or fewer if the server closed."""
        return self._reader.read(size)

    def read_line(self) -> bytes:
        """Return the next line with its line ending, or nothing if the server closed."""
        return self._reader.readline()

    def read_response(self, *, method: str = "GET") -> RawResponse:
        """Return the next response, which may be an interim one such as "100 Continue"."""
        version, status, reason = (self.read_line().decode("latin-1").rstrip("\r\n") + "  ").split(
            " ", 2
        )
        if not version.startswith("HTTP/"):
            raise ConnectionError(f"the server closed the connection or sent {version!r}")
        headers = http.client.parse_headers(self._reader)
        return RawResponse(
            version,
            int(status),
            reason.strip(),
            {name.title(): value for name, value in headers.items()},
            self._read_body(headers, int(status), method),
        )

    def _read_body(self, headers: http.client.HTTPMessage, status: int, method: str) -> bytes:
        if method == "HEAD" or status < 200 or status in (204, 304):
            return b""
        if "Content-Length" in headers:
            return self._reader.read(int(headers["Content-Length"]))
        if headers.get("Transfer-Encoding", "") != "chunked":
            return self._reader.read()
        body = b""
        while size := int(self.read_line(), 16):
            body += self._reader.read(size)
            self.read_line()
        self.read_line()
        return body

    def has_data(self) -> bool:
        """Return at once whether the server has sent something, or has closed the connection."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def closed_by_server(self) -> bool:
        """Wait until the server sends more or closes; return whether it closed."""
        try:
            return self._reader.read(1) == b""
        except ConnectionError:
            return True

    def half_close(self) -> None:
        """Close the sending half of the connection.

        Raises:
            ConnectionError: the server closed the connection already.
        """
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                raise ConnectionResetError("the server closed the connection") from error
            raise

    def close(self) -> None:
        self._reader.close()
        self._socket.close()


@contextlib.contextmanager
def connect(url: str, *, seconds: float = SECONDS) -> Iterator[Connection]:
    """Open a connection to the server of a URL."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), seconds) as connected:
        connection = Connection(connected)
        try:
            yield connection
        finally:
            connection.close()


def exchange(url: str, data: bytes, *, method: str = "GET") -> RawResponse:
    """Send bytes on a new connection, and return the first response."""
    with connect(url) as connection:
        connection.send(data)
        return connection.read_response(method=method)


def basic(username: str, password: str, *, encoding: str = "utf-8") -> str:
    """Return the value of an Authorization header."""
    pair = f"{username}:{password}".encode(encoding)
    return "Basic " + base64.b64encode(pair).decode("ascii")


def request(
    line: str, headers: Mapping[str, str] | None = None, body: bytes = b"", *, host: str = "x"
) -> bytes:
    """Return the bytes of a request.

    A body gets a Content-Length header, unless the headers contain its length or say that it is
    chunked.
    """
    head = {"Host": host, **(headers or {})}
    if body and not {"Content-Length", "Transfer-Encoding"} & set(head):
        head["Content-Length"] = str(len(body))
    lines = [line, *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
