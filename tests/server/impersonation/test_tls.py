"""`--tls`: the server over HTTPS. Only pages over HTTPS link to provenance."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from cloudrepo_server.errors import ConflictError
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.web.impersonation import https_listeners
from cloudrepo_server.web.impersonation.https_listeners import HttpsListeners
from pytest_cloudrepo._programs.command import run
from pytest_cloudrepo._programs.environment import Environment
from tests.support.archives import wheel
from tests.support.index import JSON, Index, Server
from tests.support.platforms import NEEDS_CERTIFICATES_OF_IP_ADDRESSES
from tests.support.process import ServerProcess

ATTESTATIONS = '[{"version":1,"verification_material":{},"envelope":{"statement":"e30="}}]'
SECONDS = 60.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority") / "ca.pem"


@pytest.fixture(scope="module")
def https_server(tmp_path_factory: pytest.TempPathFactory, authority: Path) -> Iterator[Server]:
    """Return a server that listens for HTTP and HTTPS."""
    process = ServerProcess(tmp_path_factory.mktemp("secure"), "--tls", authority)
    server = Server(process)
    server.session.verify = str(authority)
    yield server
    server.close()
    assert process.stop() == 0
    assert "Traceback" not in process.log


@pytest.fixture
def index(https_server: Server) -> Index:
    return https_server.repository()


def over_https(index: Index, below: str, **headers: str) -> requests.Response:
    url = index.server.process.state()["tls_url"] + index.path + below
    return index.server.session.get(url, headers=headers, auth=index.auth, timeout=SECONDS)


def test_the_state_file_has_the_https_url_and_the_ca_file(
    https_server: Server, authority: Path
) -> None:
    state = https_server.process.state()
    assert urlsplit(state["tls_url"]).scheme == "https"
    assert state["tls_url"].startswith("https://127.0.0.1:")
    assert Path(state["ca"]) == authority
    assert "PRIVATE KEY" not in authority.read_text()


def test_responses_over_http_and_https_are_equal(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    for below in ("/", "/demo/", f"/demo/{archive.filename}"):
        plain, secured = index.get(below, Accept=JSON), over_https(index, below, Accept=JSON)
        assert (plain.status_code, secured.status_code) == (200, 200)
        assert plain.content == secured.content


def test_clients_that_do_not_trust_the_ca_cannot_connect(index: Index) -> None:
    url = index.server.process.state()["tls_url"]
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(url + "/healthz", timeout=SECONDS)


def test_only_pages_over_https_have_provenance(index: Index) -> None:
    attested, plain = wheel(), wheel(version="2.0")
    assert index.upload(attested, attestations=ATTESTATIONS).status_code == 200
    index.publish(plain)
    page = over_https(index, "/demo/", Accept=JSON).json()
    files = {file["filename"]: file for file in page["files"]}
    url = files[attested.filename]["provenance"]
    assert url.startswith("https://")
    assert files[plain.filename].get("provenance") is None
    html = over_https(index, "/demo/").text
    assert html.count(f'data-provenance="{url}"') == html.count("data-provenance") == 1
    assert all(file.get("provenance") is None for file in index.files().values())
    assert "data-provenance" not in index.html()
    response = over_https(index, urlsplit(url).path.removeprefix(index.path))
    assert response.headers["Content-Type"] == "application/vnd.pypi.integrity.v1+json"
    provenance = response.json()
    assert provenance["version"] == 1
    attestation = provenance["attestation_bundles"][0]["attestations"][0]
    assert attestation["envelope"] == {"statement": "e30="}
    missing = urlsplit(url).path.replace(attested.filename, plain.filename)
    assert over_https(index, missing.removeprefix(index.path)).status_code == 404


def test_a_replaced_file_has_the_provenance_of_the_new_upload(index: Index) -> None:
    index.upload(wheel(), attestations=ATTESTATIONS)
    index.publish(wheel(module="x = 2\n"))
    assert "data-provenance" not in over_https(index, "/demo/").text


@pytest.mark.parametrize("host", ["a b", "[", "a/b", "a:99999", ""])
def test_an_invalid_host_header_is_not_a_server_error(index: Index, host: str) -> None:
    index.upload(wheel(), attestations=ATTESTATIONS)
    assert over_https(index, "/demo/", Host=host).status_code < 500


@pytest.mark.parametrize(
    "client", [pytest.param("pip", marks=NEEDS_CERTIFICATES_OF_IP_ADDRESSES), "uv"]
)
def test_tools_that_trust_the_ca_install_over_https(
    index: Index, tmp_path: Path, authority: Path, client: str
) -> None:
    index.publish(wheel())
    environ = Environment(tmp_path / "environment").scrubbed()
    # Older releases of pip prefer the system's CA certificates to PIP_CERT.
    trust = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    environ |= dict.fromkeys(trust, str(authority))
    secured = index.server.process.state()["tls_url"]
    url = index.index_url.replace("http://", "https://")
    url = url.replace(urlsplit(index.url).netloc, urlsplit(secured).netloc)
    arguments = ("pip",) if client == "pip" else ("uv", "pip")
    python = () if client == "pip" else ("--python", sys.executable)
    run(
        [
            *(sys.executable, "-m", *arguments, "install", "--no-deps", *python),
            *("--index-url", url, "--target", tmp_path / "target", "demo"),
        ],
        environ=environ,
        timeout=SECONDS,
        secrets=[index.password],
    )
    assert (tmp_path / "target" / "demo.py").exists()


def test_a_connection_without_tls_does_not_stop_the_server(index: Index) -> None:
    parts = urlsplit(index.server.process.state()["tls_url"])
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.ConnectionError):
            session.get(f"http://{parts.netloc}/healthz", timeout=SECONDS)
    assert over_https(index, "/").status_code == 200


def open_https(server: Server, host: str, **options: bool) -> requests.Response:
    """Open a listener for HTTPS, as a client that reaches the server at this host name."""
    return server.request(
        "POST", "/api/https", auth=server.admin, json=options, headers={"Host": host}
    )


def verified_port(response: requests.Response, host: str) -> str:
    """Verify that the certificate of a listener is valid for a host, and return its port."""
    listener = response.json()
    context = ssl.create_default_context(cadata=listener["ca"])
    port = urlsplit(listener["url"]).port
    assert port is not None
    with (
        socket.create_connection(("127.0.0.1", port), SECONDS) as connection,
        context.wrap_socket(connection, server_hostname=host),
    ):
        return str(port)


@pytest.mark.parametrize("options", [{}, {"client_certificates": True}])
def test_the_certificate_is_valid_for_each_host_that_a_client_used(
    https_server: Server, options: dict[str, bool]
) -> None:
    ports = set()
    for host in ("one.example.com", "Two.example.com", "one.example.com"):
        opened = open_https(https_server, host, **options)
        assert urlsplit(opened.json()["url"]).hostname == host.lower()
        for known in ("one.example.com", host, "localhost"):
            ports.add(verified_port(opened, known))
    assert len(ports) == 1


def test_a_host_name_that_a_certificate_cannot_contain_is_rejected(
    https_server: Server,
) -> None:
    opened = open_https(https_server, "three.example.com")
    rejected = open_https(https_server, "my_index")
    assert rejected.status_code == 400
    assert "No certificate can be issued for" in rejected.reason
    assert verified_port(opened, "three.example.com")


def test_the_number_of_hosts_in_the_certificate_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(https_listeners, "MAX_HTTPS_HOSTS", 5)

    async def open_for_many_hosts() -> None:
        async with running_server(ServerSettings()) as server:
            listeners = HttpsListeners(server.proxy)
            listeners.attach(
                "127.0.0.1", lambda context: server.listeners.listen("127.0.0.1", context=context)
            )
            # The certificate also contains the three names of this machine.
            for name in ("a", "b"):
                await listeners.open(f"{name}.example.com", client_certificates=False)
            with pytest.raises(ConflictError, match="has 5 hosts, which is the limit"):
                await listeners.open("c.example.com", client_certificates=False)
            await listeners.open("a.example.com", client_certificates=False)

    asyncio.run(open_for_many_hosts())
