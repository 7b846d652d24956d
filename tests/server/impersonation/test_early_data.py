"""Clients may send data together with a CONNECT request, before the proxy responds."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.proxy_client import ProxyClient
from tests.support.raw import SECONDS, request
from tests.support.real_host import running_host

HOST = "pypi.example"


def read_head(connected: socket.socket) -> bytes:
    """Read the response to a CONNECT request, and nothing after it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        received = connected.recv(1)
        assert received, head
        head += received
    return head


def connected_to(client: ProxyClient) -> socket.socket:
    parts = urlsplit(client.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), SECONDS)


def test_a_tls_handshake_may_begin_together_with_the_connect_request(index: Index) -> None:
    index.publish(wheel())
    client = ProxyClient.of(index, f"https://{HOST}/simple/")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    with connected_to(client) as connected:

        def receive() -> None:
            received = connected.recv(1 << 16)
            assert received, "the proxy closed the connection"
            incoming.write(received)

        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            hello = outgoing.read()
        connected.sendall(client.request(f"CONNECT {HOST}:443 HTTP/1.1") + hello)
        assert read_head(connected).startswith(b"HTTP/1.1 200 ")
        while True:
            try:
                secured.do_handshake()
                break
            except ssl.SSLWantReadError:
                connected.sendall(outgoing.read())
                receive()
        headers = {**index.authorization, "Connection": "close"}
        secured.write(request("GET /simple/demo/ HTTP/1.1", headers, host=HOST))
        connected.sendall(outgoing.read())
        response = b""
        while wheel().filename.encode() not in response:
            try:
                response += secured.read(1 << 16)
            except ssl.SSLWantReadError:
                receive()
    assert response.startswith(b"HTTP/1.1 200 ")


def test_data_for_a_real_host_may_arrive_together_with_the_connect_request(index: Index) -> None:
    client = ProxyClient.of(index, f"https://{HOST}/", allow=("127.0.0.1",))
    with running_host() as host, connected_to(client) as connected:
        connected.sendall(
            client.request(f"CONNECT 127.0.0.1:{host.port} HTTP/1.1")
            + request("GET /early HTTP/1.1", {"Connection": "close"})
        )
        assert read_head(connected).startswith(b"HTTP/1.1 200 Connection established")
        assert read_head(connected).startswith(b"HTTP/1.1 200 Real enough")
