"""The metrics of `/metrics`, and who may read them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.archives import wheel
from tests.support.forms import encode
from tests.support.hidden_modules import hide_modules
from tests.support.index import Server
from tests.support.raw import connect, exchange, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

Samples = dict[tuple[str, ...], float]


@pytest.fixture
def server_with_metrics(start_server: StartServer) -> Server:
    return Server(start_server("--metrics"))


def metrics(server: Server, name: str) -> Samples:
    """Return the samples of a metric, by the values of their labels."""
    response = server.request("GET", "/metrics", auth=server.admin)
    assert response.status_code == 200, response.text
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
        if sample.name == name
    }


def test_requests_are_counted_by_method_route_and_status(server_with_metrics: Server) -> None:
    index = server_with_metrics.repository("demo")
    demo = wheel()
    index.publish(demo)
    for _ in range(3):
        index.get("/demo/")
    index.file(demo)
    index.get("/nothing/")
    server_with_metrics.request("GET", "/public/repositories/demo/")
    server_with_metrics.request("GET", "/nowhere")
    server_with_metrics.request("PROPFIND", "/healthz")
    server_with_metrics.request("GET", "/portal/sign-in")

    seen = metrics(server_with_metrics, "cloudrepo_requests_total")

    expected = {
        ("POST", "/api/repositories", "201"): 1,
        ("POST", "/api/users", "201"): 1,
        ("POST", "/repositories/{repository}", "200"): 1,
        ("GET", "/repositories/{repository}/{project}", "200"): 4,
        ("GET", "/repositories/{repository}/{project}/{filename}", "200"): 1,
        ("GET", "/repositories/{repository}/{project}", "404"): 1,
        ("GET", "/public/repositories/{repository}", "404"): 1,
        ("GET", "other", "404"): 1,
        ("other", "other", "405"): 1,
        ("GET", "/portal/", "200"): 1,
    }
    assert seen == expected
    count = metrics(server_with_metrics, "cloudrepo_request_seconds_count")
    assert count["GET", "/repositories/{repository}/{project}"] == 5
    seconds = metrics(server_with_metrics, "cloudrepo_request_seconds_sum")
    assert 0 < seconds["POST", "/repositories/{repository}"] < 60
    received = metrics(server_with_metrics, "cloudrepo_received_bytes_total")
    assert received["/repositories/{repository}",] > len(demo.data)
    sent = metrics(server_with_metrics, "cloudrepo_sent_bytes_total")
    assert sent["/repositories/{repository}/{project}/{filename}",] > len(demo.data)
    assert metrics(server_with_metrics, "process_resident_memory_bytes" if LINUX else "python_info")
    server_with_metrics.close()


LINUX = sys.platform == "linux"


def test_uploads_are_counted_by_outcome(server_with_metrics: Server) -> None:
    index = server_with_metrics.repository(overwrite_protection=True, max_file_size=100_000)
    reader = server_with_metrics.user(read_only=True)
    index.publish(wheel())
    index.api("PUT", f"/files/{wheel(version='2.0').filename}")
    index.upload(wheel(module="x = 2\n"))
    index.upload(wheel(), version="9")
    index.upload(wheel(version="3.0", padding=200_000))
    index.send(encode([(":action", "submit"), ("name", "demo"), ("version", "1.0")]))
    index.request("POST", "", auth=reader)
    index.request("POST", "", auth=("nobody@example.com", "a-passphrase"))
    server_with_metrics.request("POST", "/repositories/nowhere", auth=index.auth)
    assert metrics(server_with_metrics, "cloudrepo_uploads_total") == {
        ("accepted",): 1,
        ("exists",): 1,
        ("invalid",): 2,
        ("too large",): 1,
        ("forbidden",): 1,
        ("unauthenticated",): 1,
        ("not found",): 1,
    }
    server_with_metrics.close()


def test_requests_in_flight_are_counted(server_with_metrics: Server) -> None:
    def in_flight() -> float:
        return metrics(server_with_metrics, "cloudrepo_requests_in_flight")[()]

    index = server_with_metrics.repository()
    head = {**index.authorization, "Content-Length": "1000"}
    head["Content-Type"] = "multipart/form-data; boundary=x"
    with connect(server_with_metrics.url) as connection:
        connection.send(request(f"POST {index.path} HTTP/1.1", head) + b"--x\r\n")
        # The upload, and the request for the metrics.
        wait_until(lambda: in_flight() == 2, "the upload to be in flight")
    wait_until(lambda: in_flight() == 1, "the upload to be over")
    server_with_metrics.close()


def test_metrics_require_a_user_of_the_organization(server_with_metrics: Server) -> None:
    index = server_with_metrics.repository()
    reader = server_with_metrics.user(read_only=True)
    token = index.token()["token"]

    def get(auth: tuple[str, str] | None) -> requests.Response:
        return server_with_metrics.request("GET", "/metrics", auth=auth)

    assert get(server_with_metrics.admin).status_code == get(reader).status_code == 200
    assert get(("token", token)).status_code == 403
    assert get((reader[0], "wrong-passphrase")).status_code == 401
    anonymous = get(None)
    assert anonymous.status_code == 401
    assert anonymous.headers["WWW-Authenticate"].startswith("Basic ")
    server_with_metrics.close()


def test_labels_have_few_values_whatever_clients_request(server_with_metrics: Server) -> None:
    index = server_with_metrics.repository()
    verbs = ("LOCK", "MKCOL", "PROPFIND", "PURGE", "TRACE")
    for number in range(30):
        index.get(f"/project-{number}/")
        index.get(f"/project-{number}/file-{number}.whl")
        server_with_metrics.request("GET", f"/repositories/demo-{number}/")
        server_with_metrics.api("GET", f"/repositories/demo-{number}")
        exchange(server_with_metrics.url, request(f"{verbs[number % 5]} /x-{number} HTTP/1.1"))
    assert len(metrics(server_with_metrics, "cloudrepo_requests_total")) < 12
    text = server_with_metrics.request("GET", "/metrics", auth=server_with_metrics.admin).text
    assert index.name not in text
    assert index.username not in text
    server_with_metrics.close()


def test_metrics_are_404_without_the_option(server: Server) -> None:
    assert server.request("GET", "/metrics", auth=server.admin).status_code == 404


def test_without_prometheus_client_the_error_says_what_to_install(
    start_server: StartServer, tmp_path: Path
) -> None:
    process = start_server("--metrics", environ=hide_modules(tmp_path, "prometheus_client"))
    assert process.wait() == 1
    (line,) = process.log.splitlines()
    assert "install pytest-cloudrepo[metrics]" in line
    assert list(process.temporary.iterdir()) == []


def test_prometheus_client_is_imported_only_with_the_option() -> None:
    code = "import sys, cloudrepo_server.process.server; print('prometheus_client' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == "False"
