"""The proxy chooses the destination of each request, and recognizes a tunnel by its connection."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.testkit.impersonations import Impersonations
from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.ports import free_port
from tests.support.proxy_client import ProxyClient
from tests.support.raw import SECONDS, Connection, basic, request
from tests.support.real_host import RealHost, running_host
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

PYPI = "http://pypi.example/simple/"
SECURE_PYPI = "https://pypi.example/simple/"
# The longest head of a request, as the error states it.
MAX_HEAD = 65_536
GET_DEMO = f"GET {PYPI}demo/ HTTP/1.1"


@pytest.fixture(autouse=True)
def _no_traceback(server: Server) -> Iterator[None]:
    before = len(server.process.log)
    yield
    assert "Traceback" not in server.process.log[before:]


@pytest.fixture
def host() -> Iterator[RealHost]:
    with running_host() as host:
        yield host


@pytest.fixture
def index_with_file(index: Index) -> Index:
    index.publish(wheel())
    return index


@pytest.fixture
def client(index_with_file: Index) -> ProxyClient:
    """The proxy of a private repository that impersonates a public index."""
    return ProxyClient.of(index_with_file, PYPI, SECURE_PYPI, allow=("localhost", "127.0.0.1"))


def test_a_client_that_sends_too_much_still_receives_the_rejection(client: ProxyClient) -> None:
    with client.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nX: " + b"y" * (8 << 20))
        assert connection.read_response().status == 431
        assert connection.closed_by_server()


def paths(index: Index) -> list[str]:
    return [entry["path"] for entry in index.journal()]


def is_listed(text: str) -> bool:
    return wheel().filename in text


# Identity


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the address 127.0.0.2")
def test_no_address_or_port_makes_a_request_count_as_one_through_a_tunnel(
    index_with_file: Index, client: ProxyClient
) -> None:
    server_at = urlsplit(index_with_file.url)
    process = psutil.Process(index_with_file.server.process.pid)
    with client.tunnel("pypi.example", 443) as tunnel:
        tunnel.send(request("GET /simple/demo/ HTTP/1.1"))
        assert is_listed(tunnel.read_response().body.decode())
        connections = process.net_connections("tcp")
        ports = {connection.laddr.port for connection in connections}
        # A listening socket has no remote address.
        ports |= {getattr(connection.raddr, "port", 0) for connection in connections} - {0}
        assert ports
        for port in ports:
            with socket.socket() as stranger:
                stranger.settimeout(SECONDS)
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                stranger.bind(("127.0.0.2", port))
                stranger.connect((server_at.hostname or "", server_at.port or 0))
                connection = Connection(stranger)
                connection.send(request("GET /simple/demo/ HTTP/1.1"))
                assert connection.read_response().status in (401, 404)
        # The tunnel still works.
        tunnel.send(request("GET /simple/demo/ HTTP/1.1"))
        assert tunnel.read_response().status == 200


def test_a_tunnel_reaches_nothing_but_its_repository(
    index_with_file: Index, client: ProxyClient
) -> None:
    other = index_with_file.server.repository()
    other.publish(wheel())
    with client.tunnel("pypi.example", 443) as tunnel:
        for path in (f"{other.path}/demo/", "/portal", "/api/repositories", "/healthz"):
            tunnel.send(request(f"GET {path} HTTP/1.1", other.authorization))
            assert tunnel.read_response().status == 404


# Each request


def test_each_request_of_a_session_reaches_its_own_host(
    index_with_file: Index, client: ProxyClient, host: RealHost
) -> None:
    with running_host() as other, requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": client.url}
        urls = [
            (PYPI + "demo/", None),
            (f"http://localhost:{host.port}/first", ("one", "secret-one")),
            (f"http://127.0.0.1:{other.port}/second", ("two", "secret-two")),
            (PYPI + "demo/", index_with_file.auth),
            (f"http://localhost:{host.port}/third", None),
        ]
        answers = [session.get(url, auth=auth, timeout=SECONDS) for url, auth in urls]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert [is_listed(answer.text) for answer in answers] == [True, False, False, True, False]
    assert paths(index_with_file)[-2:] == [
        f"{index_with_file.path}/demo/",
        f"{index_with_file.path}/demo/",
    ]
    received = [
        (line, headers["Host"], headers.get("Authorization"))
        for line, headers, _ in host.received + other.received
    ]
    assert received == [
        ("GET /first HTTP/1.1", f"localhost:{host.port}", basic("one", "secret-one")),
        ("GET /third HTTP/1.1", f"localhost:{host.port}", None),
        ("GET /second HTTP/1.1", f"127.0.0.1:{other.port}", basic("two", "secret-two")),
    ]
    for _, headers, _ in host.received + other.received:
        assert not [name for name in headers if name.startswith("Proxy-")]


@pytest.mark.parametrize("to_real_host_first", [True, False])
def test_a_further_request_of_a_connection_reaches_no_host(
    index_with_file: Index, client: ProxyClient, host: RealHost, *, to_real_host_first: bool
) -> None:
    to_index = client.request(
        GET_DEMO, Authorization=index_with_file.authorization["Authorization"]
    )
    to_host = client.request(f"POST http://localhost:{host.port}/ HTTP/1.1", b"body")
    before = len(paths(index_with_file))
    with client.connect() as connection:
        connection.send(to_host + to_index if to_real_host_first else to_index + to_host)
        response = connection.read_response()
        assert response.headers["Connection"] == "close"
        assert (response.body == b"real") is to_real_host_first
        assert connection.closed_by_server()
    assert len(host.received) == to_real_host_first
    assert len(paths(index_with_file)) - before == (not to_real_host_first)
    assert all(body == b"body" for _, _, body in host.received)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_allowed_host_is_not_reached_at_the_port_of_an_impersonated_url(
    index_with_file: Index, host: RealHost, scheme: str
) -> None:
    url = f"{scheme}://localhost:{host.port}/simple/"
    client = ProxyClient.of(index_with_file, url, allow=("localhost",))
    get = request("GET /bypass HTTP/1.1")
    with client.tunnel("localhost", host.port, tls=False) as connection:
        connection.send(get)
        # The server expects a TLS handshake, because the request was CONNECT.
        assert b"HTTP" not in connection.read_line()
    with client.connect() as connection:
        connection.send(client.request(f"GET http://localhost:{host.port}/bypass HTTP/1.1"))
        assert connection.read_response().status in (403, 404)
    assert host.received == []


@pytest.mark.parametrize("expects", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_bodies_are_forwarded(
    client: ProxyClient, host: RealHost, *, expects: bool, chunked: bool
) -> None:
    body = bytes(range(256)) * 4096
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    headers = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    headers |= {"Expect": "100-continue"} if expects else {}
    url = f"http://localhost:{host.port}/upload"
    with client.connect() as connection:
        connection.send(request(f"POST {url} HTTP/1.1", {**client.login, **headers}))
        if expects:
            assert connection.read_response().status == 100
        connection.send(sent)
        response = connection.read_response()
        assert (response.status, response.reason, response.body) == (200, "Real enough", b"real")
    assert [received for _, _, received in host.received] == [body]


def test_an_upload_and_its_rejection_are_forwarded(index_with_file: Index) -> None:
    index_with_file.set(overwrite_protection=True)
    url = "http://upload.example/"
    upload = ProxyClient.of(index_with_file, url)
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": upload.url}
        answer = session.post(url, data=b"nonsense", auth=index_with_file.auth, timeout=SECONDS)
        direct = index_with_file.request("POST", "", data=b"nonsense")
    assert (answer.status_code, answer.reason) == (direct.status_code, direct.reason)
    assert answer.status_code == 400


def test_a_response_without_a_body_is_forwarded(client: ProxyClient, host: RealHost) -> None:
    for url in (f"http://localhost:{host.port}/", PYPI + "demo/"):
        with client.connect() as connection:
            connection.send(client.request(f"HEAD {url} HTTP/1.1"))
            response = connection.read_response(method="HEAD")
            assert response.status == 200
            assert connection.closed_by_server()


def test_a_client_of_http_1_0_is_served(client: ProxyClient) -> None:
    with client.connect() as connection:
        connection.send(client.request(GET_DEMO.replace("HTTP/1.1", "HTTP/1.0")))
        response = connection.read_response()
        assert response.status == 200
        assert is_listed(response.body.decode())


def test_an_invalid_body_is_rejected(client: ProxyClient, host: RealHost) -> None:
    for url in (f"http://localhost:{host.port}/", PYPI):
        with client.connect() as connection:
            head = client.request(f"POST {url} HTTP/1.1", Transfer_Encoding="chunked")
            connection.send(head + b"no size\r\n")
            assert connection.read_response().status == 400
            assert connection.closed_by_server()
    assert host.received == []


def test_an_incomplete_response_stays_incomplete(client: ProxyClient) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/part":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        elif handler.path == "/nonsense":
            handler.wfile.write(b"nonsense\r\n\r\n")
        handler.close_connection = True

    with running_host(respond) as host, requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": client.url}
        for path in ("/part", "/nonsense", "/nothing"):
            with pytest.raises(requests.RequestException):
                session.get(f"http://localhost:{host.port}{path}", timeout=SECONDS)


def test_a_client_that_disconnects_ends_its_request(client: ProxyClient) -> None:
    arrived, ended = threading.Event(), threading.Event()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        arrived.set()
        # Nothing arrives but the end of the connection.
        assert handler.connection.recv(1) == b""
        ended.set()

    with running_host(respond) as host:
        with client.connect() as connection:
            connection.send(client.request(f"GET http://localhost:{host.port}/ HTTP/1.1"))
            assert arrived.wait(SECONDS)
        assert ended.wait(SECONDS)


@pytest.mark.parametrize("connects", [True, False])
def test_a_client_that_stops_reading_is_disconnected(
    start_server: StartServer, *, connects: bool
) -> None:
    ended = threading.Event()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        try:
            while True:
                handler.wfile.write(bytes(1 << 16))
        except OSError:
            ended.set()

    index = Server(start_server("--stall-timeout", "0.5")).repository()
    client = ProxyClient.of(index, allow=("localhost",))
    with running_host(respond) as host:
        if connects:
            with client.tunnel("localhost", host.port, tls=False) as tunnel:
                tunnel.send(request("GET / HTTP/1.1"))
                assert ended.wait(SECONDS)
        else:
            with client.connect() as connection:
                connection.send(client.request(f"GET http://localhost:{host.port}/ HTTP/1.1"))
                assert ended.wait(SECONDS)
    index.server.close()


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT localhost:{port} HTTP/1.1",
        "CONNECT pypi.example:443 HTTP/1.1",
        "POST http://localhost:{port}/ HTTP/1.1",
        "POST http://pypi.example/simple/ HTTP/1.1",
    ],
)
def test_a_client_that_stops_sending_is_disconnected(start_server: StartServer, line: str) -> None:
    index = Server(start_server("--stall-timeout", "0.5")).repository()
    client = ProxyClient.of(index, PYPI, SECURE_PYPI, allow=("localhost",))
    with running_host() as host, client.connect() as connection:
        line = line.format(port=host.port)
        half = client.request(line, b"half", Content_Length="10")
        connection.send(client.request(line) if line.startswith("CONNECT") else half)
        while connection.read_line():
            pass
    index.server.close()


@pytest.mark.parametrize("sent", [b"", b"GET http://pypi.example/simple/ HTTP/1.1\r\n"])
def test_a_client_that_sends_no_request_is_disconnected(
    start_server: StartServer, sent: bytes
) -> None:
    index = Server(start_server("--stall-timeout", "0.5")).repository()
    with ProxyClient.of(index, PYPI).connect() as connection:
        if sent:
            connection.send(sent)
        assert connection.closed_by_server()
    index.server.close()


def test_a_client_that_never_closes_its_connection_is_disconnected(
    start_server: StartServer,
) -> None:
    server = Server(start_server("--stall-timeout", "2"))
    client = ProxyClient.of(server.repository(), PYPI)
    process = psutil.Process(server.process.pid)
    parts = urlsplit(client.url)

    def is_connected(port: int) -> bool:
        # A listening socket has no remote address.
        ends = (getattr(each.raddr, "port", 0) for each in process.net_connections("tcp"))
        return port in ends

    with socket.create_connection((parts.hostname or "", parts.port or 0), SECONDS) as connected:
        port = connected.getsockname()[1]
        # The kernel connects before the server accepts the connection.
        wait_until(lambda: is_connected(port), "the server to accept the connection")
        connected.sendall(client.request(f"GET {PYPI} HTTP/1.1"))
        # The server half-closes the connection after the response.
        while connected.recv(1 << 16):
            pass
        wait_until(lambda: not is_connected(port), "the server to close the connection")
    server.close()


# The end of an impersonation


def delete_impersonation(index: Index, client: ProxyClient) -> None:
    index.api_json("DELETE", f"/impersonations/{client.id}")


def delete_repository(index: Index, _: ProxyClient) -> None:
    index.api_json("DELETE")


def replace_repository(index: Index, _: ProxyClient) -> None:
    index.api_json("DELETE")
    index.server.api_json("POST", "/repositories", {"name": index.name})
    index.publish(wheel())


ENDS = pytest.mark.parametrize("end", [delete_impersonation, delete_repository, replace_repository])


@ENDS
def test_a_tunnel_ends_with_its_impersonation(
    index_with_file: Index, client: ProxyClient, host: RealHost, end: object
) -> None:
    assert callable(end)
    other = ProxyClient.of(index_with_file.server.repository(), SECURE_PYPI)
    with (
        client.tunnel("pypi.example", 443) as to_index,
        client.tunnel("localhost", host.port, tls=False) as to_host,
        client.connect() as before_head,
        other.tunnel("pypi.example", 443) as of_other,
    ):
        for tunnel in (to_index, to_host):
            tunnel.send(request("GET /simple/demo/ HTTP/1.1"))
            assert tunnel.read_response().status == 200
        end(index_with_file, client)
        assert to_index.closed_by_server()
        assert to_host.closed_by_server()
        before_head.send(client.request(GET_DEMO))
        assert before_head.read_response().status == 407
        of_other.send(request("GET /simple/ HTTP/1.1"))
        assert of_other.read_response().status == 200
    assert len(host.received) == 1


@ENDS
def test_a_request_in_flight_ends_with_its_impersonation(
    index_with_file: Index, client: ProxyClient, end: object
) -> None:
    assert callable(end)
    arrived, ended = threading.Event(), threading.Event()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        arrived.set()
        assert handler.connection.recv(1) == b""
        ended.set()

    with running_host(respond) as host, client.connect() as connection:
        connection.send(client.request(f"GET http://localhost:{host.port}/ HTTP/1.1"))
        assert arrived.wait(SECONDS)
        end(index_with_file, client)
        assert connection.closed_by_server()
        assert ended.wait(SECONDS)


def test_open_tunnels_do_not_delay_the_shutdown(start_server: StartServer) -> None:
    process = start_server()
    index = Server(process).repository()
    client = ProxyClient.of(index, SECURE_PYPI)
    with client.tunnel("pypi.example", 443) as used, client.tunnel("pypi.example", 443) as idle:
        used.send(request("GET /simple/ HTTP/1.1"))
        assert used.read_response().status == 200
        assert process.stop() == 0
        assert used.closed_by_server()
        assert idle.closed_by_server()
    index.server.close()
    assert "Traceback" not in process.log


# Hosts


@pytest.mark.parametrize(
    "name", ["my_index", "a..b", "a" * 64 + ".example", "-a-", "xn--a", "*", "xn--zzzzzzzzzz--"]
)
def test_a_host_without_a_certificate_is_blocked_and_listed(
    index_with_file: Index, client: ProxyClient, name: str
) -> None:
    index_with_file.api_json("DELETE", "/requests")
    for line in (f"CONNECT {name}:443 HTTP/1.1", f"GET http://{name}/simple/ HTTP/1.1"):
        with client.connect() as connection:
            connection.send(client.request(line))
            response = connection.read_response()
            assert response.status == 403
            assert "may not be reached from this environment" in response.reason
            assert connection.closed_by_server()
    assert [(entry["method"], entry["path"]) for entry in index_with_file.journal()] == [
        ("CONNECT", f"{name}:443"),
        ("GET", f"http://{name}/simple/"),
    ]


@pytest.mark.parametrize("field", ["urls", "allow"])
def test_the_size_of_an_impersonation_is_limited(index_with_file: Index, field: str) -> None:
    host = "http://a.example" if field == "urls" else "a.example"
    assert index_with_file.api("POST", "/impersonations", {field: [host] * 101}).status_code == 400
    long = {"urls": ["http://a.example/" + "x" * 2048]}
    assert index_with_file.api("POST", "/impersonations", long).status_code == 400
    assert index_with_file.api("POST", "/impersonations", {field: [host] * 100}).status_code == 201


def test_the_number_of_impersonations_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudrepo_server.testkit.impersonations.MAX_IMPERSONATIONS", 2)
    impersonations = Impersonations()
    for _ in range(2):
        impersonations.add("demo", "id", urls=[PYPI], allow=[])
    with pytest.raises(InvalidError, match="has 2 impersonations already"):
        impersonations.add("demo", "id", urls=[PYPI], allow=[])


@pytest.mark.parametrize("address", ["::1", "fe80::1", "::ffff:192.0.2.1"])
def test_the_journal_names_a_blocked_address_of_ip_version_6(
    index_with_file: Index, client: ProxyClient, address: str
) -> None:
    index_with_file.api_json("DELETE", "/requests")
    with client.connect() as connection:
        connection.send(client.request(f"GET http://[{address}]/simple/ HTTP/1.1"))
        assert connection.read_response().status == 403
    (entry,) = index_with_file.journal()
    assert entry["path"] == f"http://[{address}]/simple/"
    assert entry["reason"] == f"{address} may not be reached from this environment"


@pytest.mark.parametrize(
    ("head", "status", "reason"),
    [
        (
            b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD,
            431,
            "The head of the request is longer than 65536 bytes",
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "This is not a request to a proxy"),
        (request(GET_DEMO), 407, "The credentials for the proxy are wrong"),
        (request(GET_DEMO, {"Proxy-Authorization": basic("a", "b")}), 407, "The credentials"),
        (None, 502, "Cannot connect to localhost, port "),
    ],
)
def test_the_proxy_says_why_it_rejects_a_request(
    client: ProxyClient, head: bytes | None, status: int, reason: str
) -> None:
    with client.connect() as connection:
        connection.send(head or client.request(f"CONNECT localhost:{free_port()} HTTP/1.1"))
        response = connection.read_response()
        assert response.status == status
        assert response.reason.startswith(reason)
        challenge = {"Proxy-Authenticate": 'Basic realm="cloudrepo"'} if status == 407 else {}
        assert response.headers == {"Content-Length": "0", "Connection": "close", **challenge}
        assert connection.closed_by_server()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"urls": ["https://my_index/simple/"]}, "No certificate can be issued for my_index"),
        ({"urls": ["http://a..b/"]}, "is not an http or https URL"),
        ({"urls": ["http://h:abc/"]}, "is not an http or https URL"),
        ({"urls": ["http://h:0/"]}, "is not an http or https URL"),
        ({"urls": ["http://[::1/"]}, "is not an http or https URL"),
        ({"urls": ["ftp://h/"]}, "is not an http or https URL"),
        ({"urls": ["http://" + "a" * 64 + ".example/"]}, "is not an http or https URL"),
        ({"allow": ["a" * 64 + ".example"]}, "is not a host name or an IP address"),
        ({"allow": ["a..b"]}, "is not a host name or an IP address"),
        ({"allow": ["http://h/"]}, "is not a host name or an IP address"),
        ({"allow": [""]}, "is not a host name or an IP address"),
    ],
)
def test_a_host_that_cannot_be_used_is_rejected_at_once(
    index_with_file: Index, body: dict[str, list[str]], message: str
) -> None:
    response = index_with_file.api("POST", "/impersonations", body)
    assert response.status_code == 400
    assert message in response.json()["error"]


def test_the_secret_of_another_impersonation_is_rejected(
    index_with_file: Index, client: ProxyClient
) -> None:
    other = ProxyClient.of(index_with_file.server.repository(), PYPI)
    secret, of_other = (urlsplit(each.url).password or "" for each in (client, other))
    assert secret != of_other
    for wrong in (of_other, "", secret[:-1], secret + "x", secret.swapcase()):
        login = {"Proxy-Authorization": basic(client.id, wrong)}
        for line in (GET_DEMO, "CONNECT pypi.example:443 HTTP/1.1"):
            with client.connect() as connection:
                connection.send(request(line, login))
                assert connection.read_response().status == 407
                assert connection.closed_by_server()


def test_impersonations_that_are_created_at_the_same_time_have_one_ca(own_server: Server) -> None:
    indexes = [own_server.repository() for _ in range(8)]
    body = {"urls": [SECURE_PYPI]}
    with ThreadPoolExecutor(len(indexes)) as threads:
        made = [
            *threads.map(lambda index: index.api_json("POST", "/impersonations", body), indexes)
        ]
    assert len({each["ca"] for each in made}) == 1


def test_hosts_are_impersonated_under_their_encoded_names(index_with_file: Index) -> None:
    client = ProxyClient.of(
        index_with_file, "http://Bücher.example/simple/", "http://my_index/simple/"
    )
    for name in ("xn--bcher-kva.example", "my_index"):
        with client.connect() as connection:
            connection.send(client.request(f"GET http://{name}/simple/demo/ HTTP/1.1"))
            assert is_listed(connection.read_response().body.decode())


def test_a_client_that_disconnects_at_any_moment_causes_no_error(client: ProxyClient) -> None:
    for line in ("CONNECT pypi.example:443 HTTP/1.1", GET_DEMO):
        data = client.request(line)
        for end in range(0, len(data), 16):
            with client.connect() as connection:
                connection.send(data[:end])
        with client.connect() as connection:
            connection.send(data)
        with client.connect() as connection:
            connection.send(data)
            connection.send(b"\x16\x03nonsense")
            connection.half_close()
            assert connection.closed_by_server() or line != GET_DEMO
