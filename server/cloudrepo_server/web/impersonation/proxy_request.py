"""Requests to the proxy: `CONNECT host:port`, or a request with an absolute URL."""

import base64
import binascii
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import msgspec

if TYPE_CHECKING:
    import h11

_HTTP_PORT, _HTTPS_PORT = 80, 443
MAX_HEAD = 64 << 10


class ProxyRequest(msgspec.Struct, frozen=True):
    """The head of a request to the proxy: its destination and the proxy's credentials.

    Attributes:
        connection: the HTTP connection, which has parsed this head and nothing else.
        head: the request as the client sent it.
        scheme: `https` for CONNECT, else `http`.
        host: the host of the destination, in lower case.
        port: the port of the destination.
        authority: the host and port as the client wrote them.
        target: the path and query, as a request to the destination has them.
        credentials: the name and the secret for the proxy, or None.
    """

    connection: "h11.Connection"
    head: "h11.Request"
    scheme: str
    host: str
    port: int
    authority: str
    target: str
    credentials: tuple[str, str] | None

    @property
    def is_connect(self) -> bool:
        """Whether the client asks for a tunnel, not for the response to one request."""
        return self.head.method == b"CONNECT"

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.head.method.decode("ascii")

    @property
    def shown_url(self) -> str:
        """The destination without credentials and query, for the log."""
        if self.is_connect:
            return self.authority
        return f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}"


def parse_proxy_request(head: bytes) -> ProxyRequest:
    """Parse the head of a request.

    Raises:
        ValueError: it is not a request to a proxy.
    """
    # Imported here because most servers never receive a request to the proxy.
    import h11

    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    connection.receive_data(head)
    try:
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise ValueError("the request is not valid HTTP") from error
    if not isinstance(request, h11.Request):
        raise ValueError("the head of a request is not complete")  # noqa: TRY004 (a wrong value)
    is_connect = request.method == b"CONNECT"
    parts, port = _parse_target(request.target.decode("ascii"), is_connect=is_connect)
    scheme = "https" if is_connect else "http"
    if not parts.hostname or port == 0:
        raise ValueError("the target of the request has no host, or the port 0")
    return ProxyRequest(
        connection=connection,
        head=request,
        scheme=scheme,
        host=parts.hostname.lower(),
        port=port,
        authority=parts.netloc.rpartition("@")[2],
        target=_origin_form(parts, request.method),
        credentials=_parse_credentials(dict(request.headers).get(b"proxy-authorization", b"")),
    )


def _parse_target(target: str, *, is_connect: bool) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(f"//{target}" if is_connect else target)
        port = parts.port
    except ValueError:
        # The original error quotes a part of the target, which may be a password.
        raise ValueError("the target of the request is not a valid URL") from None
    if is_connect:
        return parts, _HTTPS_PORT if port is None else port
    if parts.scheme == "https":
        raise ValueError("an https URL is requested with CONNECT")
    if parts.scheme != "http":
        raise ValueError("the target of the request is not an http URL")
    return parts, _HTTP_PORT if port is None else port


def _origin_form(parts: SplitResult, method: bytes) -> str:
    if not parts.path and not parts.query and method == b"OPTIONS":
        return "*"
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _parse_credentials(header: bytes) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret
