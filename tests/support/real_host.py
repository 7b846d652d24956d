"""A host that is not the index server, and records what it receives."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Respond = Callable[[BaseHTTPRequestHandler], None]


class RealHost(ThreadingHTTPServer):
    """An HTTP/1.1 server on loopback, which keeps its connections."""

    daemon_threads = True

    def __init__(self, respond: Respond | None = None) -> None:
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        """The request line, the headers and the body of each request."""
        self.respond = respond
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def port(self) -> int:
        return self.server_port

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (the signature of the base class)
        """Print nothing: many tests disconnect early."""


class _Handler(BaseHTTPRequestHandler):
    server: RealHost
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        body = self._read_body()
        headers = {name.title(): value for name, value in self.headers.items()}
        self.server.received.append((self.requestline, headers, body))
        if self.server.respond is not None:
            self.server.respond(self)
            return
        self.send_response(200, "Real enough")
        self.send_header("Content-Length", "4")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"real")

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_HEAD = do_POST = _handle  # noqa: N815 (names of the base class)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def running_host(respond: Respond | None = None) -> Iterator[RealHost]:
    """Run a host; `respond` writes its responses."""
    with RealHost(respond) as host:
        thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield host
        finally:
            host.shutdown()
            thread.join()
