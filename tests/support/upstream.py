"""An index that responds exactly as a test says, and records the requests that it receives."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Response:
    """A response of the index."""

    body: bytes = b""
    content_type: str = "application/vnd.pypi.simple.v1+json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    before_each_byte: Callable[[], object] | None = None
    """If given, the body is sent one byte at a time."""


@dataclass
class Upstream:
    """A running index. `responses` are by path; other paths are 404."""

    origin: str
    responses: dict[str, Response | Callable[[], Response]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """The paths and headers of the requests, oldest first."""

    @property
    def url(self) -> str:
        return f"{self.origin}/simple/"

    @property
    def url_with_login(self) -> str:
        return self.url.replace("://", "://user:secret@")

    def respond(self, path: str, body: bytes | str = b"", **options: object) -> None:
        data = body.encode(errors="surrogateescape") if isinstance(body, str) else body
        self.responses[path] = Response(data, **options)  # type: ignore[arg-type] # as declared above


@contextlib.contextmanager
def running_upstream() -> Iterator[Upstream]:
    """Run an index on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            index.requests.append((self.path, {k.title(): v for k, v in self.headers.items()}))
            response = index.responses.get(self.path, Response(status=404))
            if not isinstance(response, Response):
                response = response()
            self.send_response(response.status)
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            # A server that has read enough closes the connection.
            with contextlib.suppress(ConnectionError):
                self._send_body(response)

        def _send_body(self, response: Response) -> None:
            if response.before_each_byte is None:
                self.wfile.write(response.body)
                return
            for position in range(len(response.body)):
                response.before_each_byte()
                self.wfile.write(response.body[position : position + 1])

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        index = Upstream(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
