"""Two servers that share a store, behind the load balancer of `deploy/nginx.conf`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pytest_cloudrepo._programs.command import run
from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo._programs.result import CommandResult
from tests.support.archives import wheel
from tests.support.deploy import (
    DEPLOY,
    Stack,
    accepts_connections,
    get_as_admin,
    nginx,
)
from tests.support.forms import encode, fields
from tests.support.ports import free_port
from tests.support.raw import connect, exchange, request
from tests.support.wait import wait_until

PROJECT = DEPLOY.parent
LARGE = 48 << 20


def run_module(folder: Path, *arguments: str | Path, **environ: str) -> CommandResult:
    environment = {**Environment(folder / "environment").scrubbed(), **environ}
    command = [sys.executable, "-m", *arguments]
    return run(command, environ=environment, timeout=120.0, check=False)


def metric(stack: Stack, server: str, name: str) -> float:
    text = get_as_admin(stack.servers[server].url + "/metrics").text
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]
    return sum(sample.value for sample in samples)


def test_twine_and_pip_behave_as_with_one_server(stack: Stack, tmp_path: Path) -> None:
    index = stack.through_balancer().repository("twine", overwrite_protection=True)
    demo = wheel(module="x = 42\n")
    path = tmp_path / demo.filename
    login = {
        "TWINE_REPOSITORY_URL": index.url,
        "TWINE_USERNAME": index.username,
        "TWINE_PASSWORD": index.password,
    }
    path.write_bytes(demo.data)
    published = run_module(tmp_path, "twine", "upload", path, **login)
    assert published.ok, published.output
    path.write_bytes(wheel(module="x = 43\n").data)
    repeated = run_module(tmp_path, "twine", "upload", path, **login)
    assert not repeated.ok
    # nginx forwards the reason phrase, the only text that twine shows.
    assert f"File already exists: {demo.filename}" in " ".join(repeated.output.split())
    target = tmp_path / "target"
    installed = run_module(
        *(tmp_path, "pip", "install", "--no-deps", "--index-url", index.index_url),
        *("--target", target, "demo"),
    )
    assert installed.ok, installed.output
    assert (target / "demo.py").read_text() == "x = 42\n"


def test_concurrent_pytest_sessions_share_the_servers_and_delete_their_repositories_and_users(
    stack: Stack, tmp_path: Path
) -> None:
    shutil.copy(PROJECT / "tests" / "examples" / "test_main_job.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    option = f"--cloudrepo-url={stack.url}"
    environ = {**os.environ, **stack.environ}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", option]
    sessions = [
        subprocess.Popen(
            [*command, "-n", workers],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for workers in ("0", "2")
    ]
    for session in sessions:
        with session:
            output, _ = session.communicate(timeout=240)
        assert session.returncode == 0, output
        assert "3 passed" in output
    server = stack.through_balancer()
    names = [each["name"] for each in server.api_json("GET", "/repositories")["repositories"]]
    assert [name for name in names if name.startswith("test_")] == []
    assert [each for each in server.api_json("GET", "/users")["users"] if each["run"]] == []


def test_the_balancer_forwards_a_401_unchanged(stack: Stack) -> None:
    index = stack.through_balancer().repository("login")
    response = index.request("GET", auth=(index.username, "wrong-passphrase"))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="example", charset="UTF-8"'
    assert response.reason == "The user name or passphrase is wrong."


def test_the_balancer_forwards_a_large_upload_while_it_arrives(stack: Stack) -> None:
    def in_flight() -> float:
        return sum(metric(stack, name, "cloudrepo_requests_in_flight") for name in stack.servers)

    index = stack.through_balancer().repository("large")
    large = wheel(padding=LARGE)
    form = encode(fields(large))
    headers = {**index.authorization, "Content-Type": form.content_type}
    whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
    with connect(index.url, seconds=60) as connection:
        connection.send(whole[: LARGE // 2])
        # The two requests for metrics count too.
        wait_until(lambda: in_flight() == 3, "the upload to reach a server")
        connection.send(whole[LARGE // 2 :])
        response = connection.read_response()
    assert response.status == 200, response
    assert index.file(large).content == large.data


def test_urls_begin_with_the_scheme_and_host_of_the_request(stack: Stack) -> None:
    stack.through_balancer().repository("urls")
    path = "/api/repositories/urls"
    shown = get_as_admin(stack.url + path).json()["url"]
    assert shown == f"{stack.url}/repositories/urls"
    # The headers of a balancer that terminates TLS.
    headers = {"X-Forwarded-Proto": "https", "Host": "index.example.com"}
    shown = get_as_admin(stack.servers["two"].url + path, **headers).json()["url"]
    assert shown == "https://index.example.com/repositories/urls"


def test_the_balancer_and_the_server_use_the_same_request_id(stack: Stack) -> None:
    response = exchange(stack.url, request("GET /readyz HTTP/1.1"))
    request_id = response.headers["X-Request-Id"]
    assert len(request_id) == 32
    logs = [server.process for server in stack.servers.values()]
    wait_until(lambda: sum(log.log.count(request_id) for log in logs) == 1, "the request in a log")


def test_requests_to_the_store_are_counted(stack: Stack) -> None:
    before = metric(stack, "two", "cloudrepo_storage_total")
    get_as_admin(stack.servers["two"].url + "/api/repositories")
    assert metric(stack, "two", "cloudrepo_storage_total") > before


def test_the_balancer_does_not_publish_metrics(stack: Stack) -> None:
    assert get_as_admin(stack.url + "/metrics").status_code == 404


def test_each_upload_gets_a_new_connection(tmp_path: Path) -> None:
    # During its shutdown, a server may close an idle connection while nginx sends an upload on it.
    connections: list[tuple[str, object]] = []

    class Backend(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connections.append((self.command, self.client_address))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 (the name that http.server requires)

    port = free_port()
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as backend:
        threading.Thread(target=backend.serve_forever).start()
        ports = dict.fromkeys(("one", "two"), backend.server_port)
        with nginx(tmp_path, port, ports) as balancer:
            wait_until(lambda: accepts_connections(port), "nginx")
            url = f"http://127.0.0.1:{port}"
            for _ in range(8):
                assert exchange(url, request("GET / HTTP/1.1")).status == 200
                assert exchange(url, request("POST / HTTP/1.1", body=b"x")).status == 200
            balancer.terminate()
        backend.shutdown()
    uploads = [address for method, address in connections if method == "POST"]
    reads = [address for method, address in connections if method == "GET"]
    assert len(set(uploads) - set(reads)) == len(uploads) == 8
    assert len(set(reads)) < 8


def test_a_rolling_restart_fails_no_upload(stack: Stack) -> None:
    index = stack.through_balancer().repository("rolling", overwrite_protection=True)
    stopped = threading.Event()
    responses: list[tuple[str, int, str]] = []

    def publish(name: str) -> None:
        number = 0
        while not stopped.is_set():
            each = wheel(name, f"{number}.0")
            form = encode(fields(each))
            headers = {**index.authorization, "Content-Type": form.content_type}
            sent = exchange(index.url, request(f"POST {index.path} HTTP/1.1", headers, form.body))
            responses.append((each.filename, sent.status, sent.reason))
            number += 1

    threads = [threading.Thread(target=publish, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    try:
        for name in stack.servers:
            seen = len(responses)
            wait_until(lambda seen=seen: len(responses) > seen + 10, "uploads")  # type: ignore[misc]  # mypy infers no type for it
            assert stack.stop(name) == 0
            assert "cut" not in stack.servers[name].process.log
            seen = len(responses)
            wait_until(lambda seen=seen: len(responses) > seen + 10, "uploads to the other server")  # type: ignore[misc]  # as above
            stack.start(name)
    finally:
        stopped.set()
        for thread in threads:
            thread.join()

    assert [response for response in responses if response[1] != 200] == []
    for server in stack.servers.values():
        served = {
            file["filename"]
            for name in ("a", "b", "c")
            for file in server.api_json("GET", f"/repositories/rolling/projects/{name}")["files"]
        }
        assert served == {filename for filename, _, _ in responses}
