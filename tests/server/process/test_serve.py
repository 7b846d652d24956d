"""`cloudrepo-server serve`: how it starts, what it says, and how it ends."""

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


def answers(url: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url + "/healthz", timeout=10).ok


def assert_one_line(process: ServerProcess, *words: str) -> None:
    """It ended at once and said why in one line, without a traceback."""
    assert process.wait() not in (0, None)
    (line,) = process.log.splitlines()
    assert line.startswith("cloudrepo-server: ")
    for word in words:
        assert word in line
    assert list(process.temporary.iterdir()) == []


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until the test ends it."""
    with subprocess.Popen([sys.executable, "-c", FOREVER], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_the_state_file_says_where_it_is_and_who_may_manage_it(start_server: StartServer) -> None:
    process = start_server("--organization", "acme")
    state = process.state()
    assert set(state) >= {"url", "pid", "organization", "admin"}
    assert state["pid"] == process.pid
    assert state["organization"] == "acme"
    assert state["url"].startswith("http://127.0.0.1:")
    server = Server(process)
    assert server.api("GET", "/repositories").status_code == 200
    refused = server.request("GET", "/repositories/")
    assert 'realm="acme"' in refused.headers["WWW-Authenticate"]
    assert state["url"] in process.log
    assert state["admin"]["password"] not in process.log
    server.close()


@posix
def test_the_state_file_is_its_owners_alone(start_server: StartServer) -> None:
    process = start_server()
    process.state()
    assert stat.S_IMODE(process.state_file.stat().st_mode) == 0o600


def test_the_state_file_is_never_there_in_part(tmp_path: Path, start_server: StartServer) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    old = {"url": "http://127.0.0.1:1", "padding": "x" * 10_000}
    (folder / "state.json").write_text(json.dumps(old))
    process = start_server(name="again")

    def new() -> bool:
        # Whatever is there at any moment is whole.
        return bool(json.loads(process.state_file.read_text())["url"] != old["url"])

    wait_until(new, "the new state file")
    assert [path.name for path in folder.glob("state*")] == ["state.json"]
    assert answers(process.state()["url"])


def test_the_admin_login_is_what_the_environment_says(start_server: StartServer) -> None:
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


def test_the_admin_password_is_another_each_time(start_server: StartServer) -> None:
    environ = {"CLOUDREPO_ADMIN_USERNAME": "", "CLOUDREPO_ADMIN_PASSWORD": ""}
    first, second = (start_server(environ=environ).state()["admin"] for _ in range(2))
    assert first["username"] == second["username"] != ""
    assert len(first["password"]) >= 20
    assert first["password"] != second["password"]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
@posix
def test_a_signal_ends_it_with_0_and_without_a_trace(start_server: StartServer, how: str) -> None:
    process = start_server()
    process.state()
    assert len(list(process.temporary.iterdir())) == 1
    process.process.send_signal(getattr(signal, how))
    assert process.wait() == 0
    assert list(process.temporary.iterdir()) == []
    assert "Traceback" not in process.log


@posix
def test_its_folder_is_its_owners_alone(start_server: StartServer) -> None:
    process = start_server()
    process.state()
    (folder,) = process.temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@posix
def test_open_connections_and_uploads_do_not_keep_it(start_server: StartServer) -> None:
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


def test_it_leaves_when_its_owner_is_gone(
    start_server: StartServer, owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "of the owner"
    (folder / "inner").mkdir(parents=True)
    process = start_server("--owner-pid", str(owner.pid), "--owner-folder", folder)
    assert answers(process.state()["url"])
    owner.kill()
    owner.wait()
    assert process.wait() == 0
    assert list(process.temporary.iterdir()) == []
    assert not folder.exists()


def test_the_owners_folder_stays_while_the_owner_lives(
    start_server: StartServer, owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "of the owner"
    folder.mkdir()
    process = start_server("--owner-pid", str(owner.pid), "--owner-folder", folder)
    process.state()
    process.stop()
    assert folder.exists()


@posix
def test_an_owner_that_is_a_zombie_is_gone(
    start_server: StartServer, owner: subprocess.Popen[bytes]
) -> None:
    process = start_server("--owner-pid", str(owner.pid))
    process.state()
    owner.send_signal(signal.SIGKILL)  # and nobody waits for it
    assert process.wait() == 0


def test_an_owner_that_never_was_ends_it_at_once(start_server: StartServer) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    process = start_server("--owner-pid", str(ended.pid))
    assert process.wait() == 0
    assert list(process.temporary.iterdir()) == []


def test_the_test_process_itself_may_own_it(start_server: StartServer) -> None:
    process = start_server("--owner-pid", str(os.getpid()))
    assert answers(process.state()["url"])


def test_it_warns_of_an_address_that_others_reach(start_server: StartServer) -> None:
    process = start_server("--host", "0.0.0.0")  # noqa: S104 (what is warned of)
    assert answers(process.state()["url"].replace("0.0.0.0", "127.0.0.1"))  # noqa: S104
    assert "WARNING: 0.0.0.0 is not a loopback address" in process.log


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_it_does_not_warn_of_loopback(start_server: StartServer, host: str) -> None:
    if host == "::1" and not ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    process = start_server("--host", host)
    url = process.state()["url"]
    assert url.startswith("http://[::1]:" if host == "::1" else f"http://{host}:")
    assert answers(url)
    assert "WARNING" not in process.log


def ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_it_listens_where_it_is_told(start_server: StartServer) -> None:
    port = free_port()
    assert start_server("--port", str(port)).state()["url"] == f"http://127.0.0.1:{port}"


def test_a_port_in_use_is_one_line(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert_one_line(start_server("--port", port), "in use", port)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--host", "localhost.invalid", ["localhost.invalid"]),
        ("--data", "{file}", ["{file}"]),
        ("--state-file", "{folder}/nowhere/state.json", ["nowhere"]),
        ("--state-file", "{folder}", ["{folder}"]),
    ],
)
def test_what_cannot_be_used_is_one_line(
    start_server: StartServer, tmp_path: Path, option: str, value: str, words: list[str]
) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    names = {"file": str(file), "folder": str(folder)}
    process = start_server(option, value.format(**names))
    assert_one_line(process, *(word.format(**names) for word in words))
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
def test_a_bad_argument_is_named(
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
def test_any_name_of_an_organization_is_a_realm(start_server: StartServer, name: str) -> None:
    server = Server(start_server("--organization", name))
    assert server.organization == name
    answer = server.request("GET", "/repositories/")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    server.close()


def test_without_a_command_it_says_how_it_is_used() -> None:
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


def test_what_is_not_http_makes_no_noise(own_server: Server) -> None:
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
    assert answers(own_server.url)


def test_a_login_that_nobody_could_know_is_told() -> None:
    serve = [sys.executable, "-m", "cloudrepo_server", "serve"]
    environ = {name: value for name, value in os.environ.items() if "CLOUDREPO" not in name}
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        *_, username, password = process.stdout.readline().split()

        answer = requests.get(f"{url}/api/repositories", auth=(username, password), timeout=30)

        process.terminate()
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("options", "said", "scheme"),
    [
        (["--behind-proxy"], "https", "https"),
        (["--behind-proxy"], "HTTPS, http", "https"),
        (["--behind-proxy"], "gopher", "http"),
        (["--behind-proxy"], "", "http"),
        ([], "https", "http"),
    ],
)
def test_a_proxy_in_front_is_believed_where_it_is_told_to(
    start_server: StartServer, options: list[str], said: str, scheme: str
) -> None:
    server = Server(start_server(*options))
    server.repository("demo")
    path, headers = "/repositories/demo", {"X-Forwarded-Proto": said, "Host": "index.example.com"}
    told = server.request("GET", f"/api{path}", auth=server.admin, headers=headers).json()
    assert told["url"] == f"{scheme}://index.example.com{path}"
    # A browser gives a secure cookie back over https alone.
    form = server.request("GET", "/portal/sign-in", headers=headers)
    assert ("Secure" in form.headers["Set-Cookie"]) is (scheme == "https")
    server.close()
