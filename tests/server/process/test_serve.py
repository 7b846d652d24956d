"""`cloudrepo-server serve`: its start, its output and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from cloudrepo_server.cli import main
from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Server
from tests.support.process import ServerProcess
from tests.support.raw import connect, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals or modes")

FOREVER = "import sys; sys.stdin.read()"


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


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until the test kills it."""
    with subprocess.Popen([sys.executable, "-c", FOREVER], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_the_state_file_has_the_url_and_the_admin_credentials(start_server: StartServer) -> None:
    process = start_server("--organization", "acme")
    state = process.state()
    assert set(state) >= {"url", "pid", "organization", "admin"}
    assert state["pid"] == process.pid
    assert state["organization"] == "acme"
    assert state["url"].startswith("http://127.0.0.1:")
    server = Server(process)
    assert server.api("GET", "/repositories").status_code == 200
    rejected = server.request("GET", "/repositories/")
    assert 'realm="acme"' in rejected.headers["WWW-Authenticate"]
    assert state["url"] in process.log
    assert state["admin"]["password"] not in process.log
    server.close()


@posix
def test_only_its_owner_can_read_the_state_file(start_server: StartServer) -> None:
    process = start_server()
    process.state()
    assert stat.S_IMODE(process.state_file.stat().st_mode) == 0o600


def test_the_state_file_is_replaced_atomically(tmp_path: Path, start_server: StartServer) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    old = {"url": "http://127.0.0.1:1", "padding": "x" * 10_000}
    (folder / "state.json").write_text(json.dumps(old))
    process = start_server(name="again")

    def new() -> bool:
        # Parsing fails if the file is incomplete at any moment.
        return bool(json.loads(process.state_file.read_text())["url"] != old["url"])

    wait_until(new, "the new state file")
    assert [path.name for path in folder.glob("state*")] == ["state.json"]
    assert is_healthy(process.state()["url"])


def test_the_environment_sets_the_admin_credentials(start_server: StartServer) -> None:
    environ = {
        "CLOUDREPO_ADMIN_USERNAME": "boss@example.com",
        "CLOUDREPO_ADMIN_PASSWORD": "pâss:w/rd%",
    }
    process = start_server(environ=environ)
    assert process.state()["admin"] == {"username": "boss@example.com", "password": "pâss:w/rd%"}
    server = Server(process)
    assert server.api("GET", "/users").status_code == 200
    assert "pâss:w/rd%" not in process.log
    server.close()


def test_each_server_generates_another_admin_password(start_server: StartServer) -> None:
    environ = {"CLOUDREPO_ADMIN_USERNAME": "", "CLOUDREPO_ADMIN_PASSWORD": ""}
    first, second = (start_server(environ=environ).state()["admin"] for _ in range(2))
    assert first["username"] == second["username"] != ""
    assert len(first["password"]) >= 20
    assert first["password"] != second["password"]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
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
def test_only_its_owner_can_read_the_temporary_folder(start_server: StartServer) -> None:
    process = start_server()
    process.state()
    (folder,) = process.temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@posix
def test_open_connections_and_uploads_do_not_delay_the_end(start_server: StartServer) -> None:
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
    assert "1 requests in flight were aborted" in process.log
    server.close()


def test_the_server_stops_when_its_owner_process_ends(
    start_server: StartServer, owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "owner folder"
    (folder / "inner").mkdir(parents=True)
    process = start_server("--owner-pid", str(owner.pid), "--owner-folder", folder)
    assert is_healthy(process.state()["url"])
    owner.kill()
    owner.wait()
    assert process.wait() == 0
    assert list(process.temporary.iterdir()) == []
    assert not folder.exists()


def test_the_owner_folder_is_kept_while_the_owner_process_runs(
    start_server: StartServer, owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "owner folder"
    folder.mkdir()
    process = start_server("--owner-pid", str(owner.pid), "--owner-folder", folder)
    process.state()
    process.stop()
    assert folder.exists()


@posix
def test_a_zombie_counts_as_an_ended_owner_process(
    start_server: StartServer, owner: subprocess.Popen[bytes]
) -> None:
    process = start_server("--owner-pid", str(owner.pid))
    process.state()
    owner.send_signal(signal.SIGKILL)  # without a wait, so that it stays a zombie
    assert process.wait() == 0


def test_the_server_stops_at_once_if_its_owner_process_does_not_exist(
    start_server: StartServer,
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    process = start_server("--owner-pid", str(ended.pid))
    assert process.wait() == 0
    assert list(process.temporary.iterdir()) == []


def test_the_test_process_can_own_a_server(start_server: StartServer) -> None:
    process = start_server("--owner-pid", str(os.getpid()))
    assert is_healthy(process.state()["url"])


def test_warns_about_an_address_that_is_not_loopback(start_server: StartServer) -> None:
    process = start_server("--host", "0.0.0.0")  # noqa: S104 (the subject of this test)
    assert is_healthy(process.state()["url"].replace("0.0.0.0", "127.0.0.1"))  # noqa: S104
    assert "WARNING: 0.0.0.0 is not a loopback address" in process.log


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_does_not_warn_about_a_loopback_address(start_server: StartServer, host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    process = start_server("--host", host)
    url = process.state()["url"]
    assert url.startswith("http://[::1]:" if host == "::1" else f"http://{host}:")
    assert is_healthy(url)
    assert "WARNING" not in process.log


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


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--host", "localhost.invalid", ["localhost.invalid"]),
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "http"], ["--port", "'http'"]),
        (["--port", "-1"], ["--port"]),
        (["--port", "65536"], ["--port", "65535"]),
        (["--owner-pid", "me"], ["--owner-pid", "'me'"]),
        (["--owner-pid", "0"], ["--owner-pid", "'0'"]),
        (["--owner-pid", "-1"], ["--owner-pid"]),
        (["--owner-pid", "9" * 30], ["--owner-pid"]),
        (["--grace", "soon"], ["--grace", "'soon'"]),
        (["--grace", "-1"], ["--grace"]),
        (["--drain", "nan"], ["--drain", "86400"]),
        (["--organization", ""], ["--organization"]),
        (["--organization", "two\nlines"], ["--organization"]),
        (["--nothing"], ["--nothing"]),
        (["more"], ["more"]),
    ],
)
def test_an_invalid_argument_is_named(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *arguments])
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert "usage: cloudrepo-server" in shown
    for word in words:
        assert word in shown


@pytest.mark.parametrize("name", ['the "quoted" \\ one', "Ärger & Söhne", "a" * 200])
def test_any_organization_name_is_a_valid_realm(start_server: StartServer, name: str) -> None:
    server = Server(start_server("--organization", name))
    assert server.organization == name
    response = server.request("GET", "/repositories/")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    server.close()


def test_help_and_a_missing_command_print_the_usage() -> None:
    for arguments in ([], ["--help"], ["serve", "--help"]):
        shown = subprocess.run(
            [sys.executable, "-m", "cloudrepo_server", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert shown.returncode == (0 if "--help" in arguments else 2)
        assert "usage: cloudrepo-server" in shown.stdout + shown.stderr
        assert "Traceback" not in shown.stderr


def test_invalid_http_is_not_logged(own_server: Server) -> None:
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
    assert own_server.process.log.count("\n") == 1
    assert is_healthy(own_server.url)


def test_generated_credentials_are_printed_without_a_state_file() -> None:
    serve = [sys.executable, "-m", "cloudrepo_server", "serve"]
    environ = {name: value for name, value in os.environ.items() if "CLOUDREPO" not in name}
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        *_, username, password = process.stdout.readline().split()

        response = requests.get(f"{url}/api/repositories", auth=(username, password), timeout=30)

        process.terminate()
    assert response.status_code == 200


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
    path, headers = (
        "/repositories/demo",
        {"X-Forwarded-Proto": forwarded, "Host": "index.example.com"},
    )
    repository = server.request("GET", f"/api{path}", auth=server.admin, headers=headers).json()
    assert repository["url"] == f"{scheme}://index.example.com{path}"
    # A browser returns a secure cookie over https only.
    form = server.request("GET", "/portal/sign-in", headers=headers)
    assert ("Secure" in form.headers["Set-Cookie"]) is (scheme == "https")
    server.close()
