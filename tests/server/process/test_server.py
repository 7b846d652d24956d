"""A server from its start to its end: addresses, signals and rejected options."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.hidden_modules import hide_modules
from tests.support.index import Server
from tests.support.platforms import needs_posix
from tests.support.ports import free_port
from tests.support.process import ServerProcess
from tests.support.raw import connect, request
from tests.support.server_fixtures import StartServer
from tests.support.terminal import run_in_terminal
from tests.support.wait import wait_until

posix = needs_posix("POSIX signals and permissions")


def is_healthy(url: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url + "/healthz", timeout=10).ok


def assert_fails_with_one_line(process: ServerProcess, *words: str) -> None:
    """Check that the server failed, and printed the reason in one line without a traceback."""
    assert process.wait() not in (0, None)
    (line,) = process.log.splitlines()
    assert line.startswith("cloudrepo-server: ")
    for word in words:
        assert word in line
    assert list(process.temporary.iterdir()) == []


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGHUP"])
@posix
def test_a_signal_stops_the_server_and_leaves_no_files(start_server: StartServer, how: str) -> None:
    process = start_server()
    process.state()
    assert len(list(process.temporary.iterdir())) == 1
    process.process.send_signal(getattr(signal, how))
    assert process.wait() == 0
    assert list(process.temporary.iterdir()) == []
    assert "Traceback" not in process.log


@posix
def test_a_server_that_nohup_started_ignores_the_end_of_its_terminal(
    start_server: StartServer,
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # new processes inherit it
    try:
        process = start_server()
    finally:
        signal.signal(signal.SIGHUP, before)
    server = Server(process)
    process.process.send_signal(signal.SIGHUP)
    assert server.request("GET", "/healthz").status_code == 200
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


@posix
def test_only_its_owner_can_read_the_temporary_folder(start_server: StartServer) -> None:
    process = start_server()
    process.state()
    (folder,) = process.temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@posix
def test_open_connections_and_uploads_do_not_delay_the_shutdown(start_server: StartServer) -> None:
    process = start_server("--grace", "0")
    server = Server(process)
    index = server.repository()
    form = encode(fields(wheel(padding=2 << 20)))
    headers = {**index.authorization, "Content-Type": form.content_type}
    with connect(server.url) as idle, connect(server.url) as busy:
        idle.send(request("GET /healthz HTTP/1.1"))
        assert idle.read_response().status == 200
        busy.send(request(f"POST {index.path} HTTP/1.1", headers, form.body)[:-100])
        index.get("/")
        assert process.stop() == 0
    assert list(process.temporary.iterdir()) == []
    assert "Traceback" not in process.log
    assert "requests in flight that were aborted: 1" in process.log
    server.close()


def test_warns_about_an_address_that_is_not_loopback(start_server: StartServer) -> None:
    process = start_server("--host", "0.0.0.0")  # noqa: S104 (the subject of this test)
    assert is_healthy(process.state()["url"].replace("0.0.0.0", "127.0.0.1"))  # noqa: S104
    assert "WARNING: 0.0.0.0 is not a loopback address" in process.log


@pytest.mark.parametrize("host", ["127.0.0.1.invalid", "localhost.invalid", "::1:0"])
def test_warns_about_an_address_that_only_begins_like_a_loopback_address(
    start_server: StartServer, host: str
) -> None:
    process = start_server("--host", host)
    assert process.wait() == 1  # this machine has no such address
    assert f"WARNING: {host} is not a loopback address" in process.log


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_does_not_warn_about_a_loopback_address(start_server: StartServer, host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    process = start_server("--host", host)
    url = process.state()["url"]
    assert url.startswith("http://[::1]:" if host == "::1" else f"http://{host}:")
    assert is_healthy(url)
    assert "WARNING" not in process.log


def test_a_server_without_uvloop_serves_and_ends(start_server: StartServer, tmp_path: Path) -> None:
    process = start_server(environ=hide_modules(tmp_path / "hidden", "uvloop"))
    server = Server(process)
    index = server.repository()
    index.publish(wheel())
    assert index.get("/demo/").status_code == 200
    server.close()
    assert process.stop() == 0


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_listens_on_the_given_port(start_server: StartServer) -> None:
    port = free_port()
    assert start_server("--port", str(port)).state()["url"] == f"http://127.0.0.1:{port}"


def test_a_port_in_use_is_reported_in_one_line(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert_fails_with_one_line(start_server("--port", port), "in use", port)


def test_the_output_has_escapes_for_characters_that_its_encoding_lacks(
    start_server: StartServer,
) -> None:
    environ = {"PYTHONIOENCODING": "ascii"}
    process = start_server("--organization", "Łódź ✓", environ=environ)
    server = Server(process)
    wait_until(lambda: r"organization \u0141\xf3d\u017a \u2713 at" in process.log, "the message")
    server.close()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--data", "{file}", ["{file}"]),
        ("--state-file", "{folder}/nowhere/state.json", ["nowhere"]),
        ("--state-file", "{folder}", ["{folder}"]),
    ],
)
def test_an_unusable_value_is_reported_in_one_line(
    start_server: StartServer, tmp_path: Path, option: str, value: str, words: list[str]
) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    names = {"file": str(file), "folder": str(folder)}
    process = start_server(option, value.format(**names))
    assert_fails_with_one_line(process, *(word.format(**names) for word in words))
    assert list(folder.iterdir()) == []
    assert [path.name for path in tmp_path.glob("folder*")] == ["folder"]


@pytest.mark.parametrize("name", ['the "quoted" \\ one', "Ärger & Söhne", "a" * 200])
def test_any_organization_name_is_a_valid_realm(start_server: StartServer, name: str) -> None:
    server = Server(start_server("--organization", name))
    assert server.organization == name
    response = server.request("GET", "/repositories/")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    server.close()


def test_an_unusable_host_is_reported_in_one_line_after_a_warning(
    start_server: StartServer,
) -> None:
    process = start_server("--host", "localhost.invalid")
    assert process.wait() == 1
    warning, error = process.log.splitlines()
    assert warning.startswith("WARNING: localhost.invalid is not a loopback address")
    assert error.startswith("cloudrepo-server: cannot listen on localhost.invalid")


def test_invalid_http_is_logged_in_one_line_each(own_server: Server) -> None:
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x00" * 99,
    ):
        with connect(own_server.url) as connection:
            connection.send(data)
            connection.half_close()
            while connection.read_line():
                pass
    assert is_healthy(own_server.url)
    _, *lines = own_server.process.log.splitlines()
    assert len(lines) == 4
    assert all(" 400 " in line for line in lines)


@pytest.mark.parametrize(
    ("options", "forwarded", "scheme"),
    [
        (["--behind-proxy"], "https", "https"),
        (["--behind-proxy"], "HTTPS, http", "https"),
        (["--behind-proxy"], "gopher", "http"),
        (["--behind-proxy"], "", "http"),
        ([], "https", "http"),
    ],
)
def test_the_forwarded_scheme_is_trusted_only_behind_a_proxy(
    start_server: StartServer, options: list[str], forwarded: str, scheme: str
) -> None:
    server = Server(start_server(*options))
    server.repository("demo")
    path = "/repositories/demo"
    headers = {"X-Forwarded-Proto": forwarded, "Host": "index.example.com"}
    repository = server.request("GET", f"/api{path}", auth=server.admin, headers=headers).json()
    assert repository["url"] == f"{scheme}://index.example.com{path}"
    # A browser returns a secure cookie over https only.
    form = server.request("GET", "/portal/sign-in", headers=headers)
    assert ("Secure" in form.headers["Set-Cookie"]) is (scheme == "https")
    server.close()


@posix
@pytest.mark.parametrize("log_format", [None, "text", "json"])
def test_a_generated_admin_password_is_shown_on_a_terminal_only(
    tmp_path: Path, log_format: str | None
) -> None:
    shown = r"Admin user and password, generated for this server: admin@example.com \S{32}"
    command = [sys.executable, "-m", "cloudrepo_server", "serve"]
    command += ["--log-format", log_format] if log_format else []
    environ = {name: value for name, value in os.environ.items() if "CLOUDREPO" not in name}

    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environ, stdout=file, stderr=file)
    wait_until(lambda: "admin password is not shown" in log.read_text(), "the warning")
    process.terminate()
    assert process.wait(60) == 0
    assert "set CLOUDREPO_ADMIN_PASSWORD, or use --state-file" in log.read_text()
    assert not re.search("Admin user and password|admin@example.com", log.read_text())

    with run_in_terminal(command, environ) as server:
        server.wait_for(shown)
        server.process.terminate()
        assert server.process.wait(60) == 0
