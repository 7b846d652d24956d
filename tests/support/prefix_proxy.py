"""A reverse proxy that serves a server below a path, as nginx and Traefik can do."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support.raw import SECONDS

_CONNECTION_HEADERS = ("connection", "keep-alive", "transfer-encoding")


@dataclass
class PrefixProxy:
    """A running proxy; requests that are not below its path get a 404, and are recorded."""

    url: str
    outside: list[str] = field(default_factory=list)


@contextlib.contextmanager
def running_prefix_proxy(server_url: str, prefix: str) -> Iterator[PrefixProxy]:
    """Serve a server below a path."""
    address = urlsplit(server_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                proxy.outside.append(self.path)
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            del self.headers["X-Forwarded-Prefix"]
            self.headers["X-Forwarded-Prefix"] = prefix
            connection = http.client.HTTPConnection(address.netloc, timeout=SECONDS)
            with contextlib.closing(connection):
                path = self.path.removeprefix(prefix)
                connection.request(self.command, path, body, dict(self.headers.items()))
                response = connection.getresponse()
                content = response.read()
            self.send_response_only(response.status, response.reason)
            for name, value in response.getheaders():
                if name.lower() not in (*_CONNECTION_HEADERS, "content-length"):
                    self.send_header(name, value)
            length = response.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.forward)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        proxy = PrefixProxy(f"http://127.0.0.1:{listener.server_port}{prefix}")
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown()
            thread.join()
