"""Requests to the proxy: `CONNECT host:port`, or a request with an absolute URL."""

import base64
import binascii
from urllib.parse import urlsplit

import msgspec


class ProxyRequest(msgspec.Struct, frozen=True):
    """The head of a request to the proxy: its destination and the proxy's credentials."""

    head: bytes
    is_connect: bool
    scheme: str
    host: str
    port: int
    credentials: tuple[str, str] | None

    @property
    def head_without_credentials(self) -> bytes:
        """The head for the real host, without the headers that are for the proxy only."""
        lines = self.head.split(b"\r\n")
        return b"\r\n".join(line for line in lines if not line.lower().startswith(b"proxy-"))


def parse_proxy_request(head: bytes) -> ProxyRequest:
    """Parse the head of a request.

    Raises:
        ValueError: it is not a request to a proxy.
    """
    # Imported here because most servers never receive a request to the proxy.
    import h11

    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    try:
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise ValueError("the request is not valid HTTP") from error
    if not isinstance(request, h11.Request):
        raise ValueError("the head of a request is not complete")  # noqa: TRY004 (a wrong value)
    is_connect = request.method == b"CONNECT"
    scheme, host, port = _parse_target(request.target.decode("ascii"), is_connect=is_connect)
    header = dict(request.headers).get(b"proxy-authorization", b"")
    return ProxyRequest(head, is_connect, scheme, host, port, _parse_credentials(header))


def _parse_target(target: str, *, is_connect: bool) -> tuple[str, str, int]:
    if is_connect:
        parts = urlsplit(f"//{target}")
        scheme, port = "https", parts.port or 443
    else:
        parts = urlsplit(target)
        scheme, port = parts.scheme, parts.port or 80
    if not parts.hostname or scheme not in ("http", "https"):
        raise ValueError("the target of the request has no host")
    return scheme, parts.hostname.lower(), port


def _parse_credentials(header: bytes) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret
