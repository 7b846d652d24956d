"""A client of the server's proxy, with exactly the requests that a test writes."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.index import Index
from tests.support.raw import SECONDS, Connection, basic, connect, request


@dataclass(frozen=True)
class ProxyClient:
    """The proxy of an impersonation."""

    id: str
    url: str = field(repr=False)

    @classmethod
    def of(cls, index: Index, *urls: str, allow: tuple[str, ...] = ()) -> ProxyClient:
        """Impersonate URLs with a repository."""
        made = index.api_json("POST", "/impersonations", {"urls": [*urls], "allow": [*allow]})
        return cls(made["id"], made["proxy"])

    @property
    def login(self) -> dict[str, str]:
        parts = urlsplit(self.url)
        return {"Proxy-Authorization": basic(parts.username or "", parts.password or "")}

    def request(self, line: str, body: bytes = b"", **headers: str) -> bytes:
        """Return the bytes of a request to the proxy; headers are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return request(line, {**self.login, **named}, body, host="ignored.example")

    def connect(self) -> contextlib.AbstractContextManager[Connection]:
        """Open a connection to the proxy."""
        return connect(self.url)

    @contextlib.contextmanager
    def tunnel(self, host: str, port: int, *, tls: bool = True) -> Iterator[Connection]:
        """Open a connection to a host through the proxy."""
        parts = urlsplit(self.url)
        address = parts.hostname or "", parts.port or 0
        with socket.create_connection(address, SECONDS) as connected:
            connected.sendall(self.request(f"CONNECT {host}:{port} HTTP/1.1"))
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                received = connected.recv(1)
                assert received, head
                head += received
            assert head.startswith(b"HTTP/1.1 200 "), head
            secured = connected
            if tls:
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                secured = context.wrap_socket(connected, server_hostname=host)
            connection = Connection(secured)
            try:
                yield connection
            finally:
                connection.close()
