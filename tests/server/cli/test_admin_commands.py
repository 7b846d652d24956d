"""The commands that use a running server: `repo`, `user` and `token`."""

from __future__ import annotations

import io
import json
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from time import time

import pytest

from cloudrepo_server.cli import main
from tests.support.index import Index, Server
from tests.support.real_host import running_host
from tests.support.shown_output import shows_status

PASSPHRASE = "correct horse battery staple"


class Terminal(io.StringIO):
    """A standard input that is a terminal, on which the user types this text."""

    def isatty(self) -> bool:
        return True


class Shell:
    """Runs `cloudrepo-server` with the state file of a server."""

    def __init__(self, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
        self._state_file = str(server.process.state_file)
        self._capsys = capsys
        self.status: str | int | None = None
        self.error = ""

    def run(self, command: str, *, state_file: str | None = None) -> str:
        """Run a command, and return its output."""
        return self.call(*command.split(), "--state-file", state_file or self._state_file)

    def call(self, *arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        self.status = ended.value.code
        output, self.error = self._capsys.readouterr()
        return output


@pytest.fixture
def shell(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    for name in ("CLOUDREPO_ADMIN_USERNAME", "CLOUDREPO_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return Shell(server, capsys)


def test_a_repository_is_created_shown_changed_and_deleted(shell: Shell, server: Server) -> None:
    upstream = server.repository().name
    created = shell.run(f'repo create cli-demo overwrite_protection=true upstream=["{upstream}"]')
    assert created == f"{server.url}/repositories/cli-demo\n"
    shown = shell.run("repo show cli-demo").splitlines()
    assert {"overwrite_protection=true", "max_file_size=null", "dialect=modern"} <= set(shown)
    assert f'upstream=["{upstream}"]' in shown
    assert shell.run("repo set cli-demo dialect=pypi rules=none max_file_size=1000") == ""
    settings = json.loads(shell.run("repo show cli-demo --json"))
    assert (settings["dialect"], settings["rules"]) == ("pypi", "none")
    assert settings["max_file_size"] == 1000
    header, *rows = shell.run("repo list").splitlines()
    assert header.split() == ["NAME", "OVERWRITE", "PROTECTION", "PUBLIC", "DIALECT", "URL"]
    row = ["cli-demo", "true", "false", "pypi", f"{server.url}/repositories/cli-demo"]
    assert row in [each.split() for each in rows]
    assert shell.run("repo delete cli-demo --yes") == ""
    assert shell.status == 0
    assert shell.run("repo show cli-demo") == ""
    assert (shell.status, shows_status(shell.error, 404)) == (1, True)
    assert "The repository could not be found: cli-demo" in shell.error


def test_a_user_is_created_changed_and_deleted(
    shell: Shell, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = "cli@example.com"
    passphrase = shell.run(f"user create {email} --read-only").removesuffix("\n")

    def status(secret: str, method: str = "GET") -> int:
        return index.request(method, auth=(email, secret)).status_code

    assert (status(passphrase), status(passphrase, "POST")) == (200, 403)
    shell.run(f"user set {email} --read-write")
    assert status(passphrase, "POST") == 400  # an empty form
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSPHRASE}\n"))
    shell.run(f"user set {email} --passphrase-stdin")
    assert (status(passphrase), status(PASSPHRASE)) == (401, 200)
    assert [email, "false"] in [line.split()[:2] for line in shell.run("user list").splitlines()]
    shell.run(f"user delete {email} --yes")
    assert status(PASSPHRASE) == 401


def test_a_token_is_created_listed_and_revoked(shell: Shell, index: Index) -> None:
    options = "--read-only --name nightly --expires-in 90d"
    token = shell.run(f"token create {index.name} {options}").removesuffix("\n")
    assert index.request("GET", auth=("__token__", token)).status_code == 200
    assert index.request("POST", auth=("__token__", token)).status_code == 403
    (row,) = [line for line in shell.run("token list").splitlines() if index.name in line]
    assert token not in row
    assert "nightly" in row
    (listed,) = [
        each
        for each in json.loads(shell.run("token list --json"))["tokens"]
        if each["repository"] == index.name
    ]
    assert 0 <= time() - (listed["expires"] - 90 * 86_400) < 600
    assert shell.run(f"token set {listed['id']} --never-expires --name weekly") == ""
    changed = json.loads(shell.run(f"token set {listed['id']} --json"))
    assert (changed["name"], changed["expires"]) == ("weekly", None)
    shell.run(f"token set {listed['id']} --expires-in 0s")
    assert index.request("GET", auth=("__token__", token)).status_code == 401
    shell.run(f"token set {listed['id']} --expires-in 1h")
    assert index.request("GET", auth=("__token__", token)).status_code == 200
    shell.run(f"token delete {row.split()[0]} --yes")
    assert index.request("GET", auth=("__token__", token)).status_code == 401


@pytest.mark.parametrize(("answer", "deleted"), [("y\n", True), ("\n", False), ("no\n", False)])
def test_a_repository_is_deleted_only_after_a_confirmation_on_the_terminal(
    shell: Shell, server: Server, monkeypatch: pytest.MonkeyPatch, answer: str, *, deleted: bool
) -> None:
    name = server.repository().name
    shell.run(f"repo delete {name}")
    assert "to delete the repository" in shell.error
    assert "add --yes" in shell.error
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert f"Delete the repository {name} and all its files? [y/N]" in shell.run(
        f"repo delete {name}"
    )
    assert server.api("GET", f"/repositories/{name}").status_code == (404 if deleted else 200)


def test_the_url_and_the_environment_replace_the_state_file(
    shell: Shell, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    username, password = server.admin
    arguments = ("user", "list", "--json", "--url", server.url, "--username", username)
    shell.call(*arguments)
    assert shell.status == 1
    assert "set CLOUDREPO_ADMIN_PASSWORD, or use --state-file" in shell.error
    monkeypatch.setenv("CLOUDREPO_ADMIN_PASSWORD", "wrong")
    shell.call(*arguments)
    assert "rejected the request: 401" in shell.error
    monkeypatch.setenv("CLOUDREPO_ADMIN_PASSWORD", password)
    assert "users" in json.loads(shell.call(*arguments))
    shell.call(*arguments, "--state-file", "x")
    assert "not allowed with argument --url" in shell.error


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the state file"),
        ("{", "is not a state file of cloudrepo-server serve"),
        ('{"url": 1}', "is not a state file of cloudrepo-server serve"),
        (
            '{"url": "http://a..b", "admin": {"username": "a", "password": "b"}}',
            "the URL in the state file",
        ),
    ],
)
def test_a_state_file_that_is_unusable_is_named(
    shell: Shell, tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "state.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert shell.run("repo list", state_file=str(path)) == ""
    (line,) = shell.error.splitlines()
    assert (shell.status, line.startswith("cloudrepo-server: ")) == (1, True)
    assert message in line
    assert str(path) in line


@pytest.mark.parametrize("setting", ["public", "=true"])
def test_a_setting_without_a_name_or_a_value_is_rejected(shell: Shell, setting: str) -> None:
    shell.run(f"repo create cli-demo {setting}")
    assert shell.status == 2
    assert f"'{setting}' is not a setting: use a name and a value" in shell.error


def test_an_unknown_setting_is_named_by_the_server(shell: Shell) -> None:
    shell.run("repo create cli-demo publik=true")
    assert shell.status == 1
    assert "publik" in shell.error


def test_the_credentials_are_not_sent_to_a_proxy_for_a_server_on_this_machine(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running_host() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert "users" in json.loads(shell.run("user list --json"))
        assert proxy.received == []


HOSTILE = "a\n\x1b[31mb\x7f\x9b\u202ec"


@pytest.mark.parametrize(("status", "arguments"), [(200, ()), (200, ("--json",)), (400, ())])
def test_no_text_of_a_server_controls_the_terminal(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, status: int, arguments: tuple[str, ...]
) -> None:
    user = {"email": HOSTILE, "read_only": False, "created": HOSTILE}
    content = json.dumps({"users": [user]} if status == 200 else {"error": HOSTILE}).encode()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    monkeypatch.setenv("CLOUDREPO_ADMIN_PASSWORD", "secret")
    with running_host(respond) as host:
        url = f"http://127.0.0.1:{host.port}"
        shown = shell.call("user", "list", *arguments, "--url", url) + shell.error
    assert "\\x1b[31mb" in shown or "\\u001b[31mb" in shown
    assert all(char == "\n" or char.isprintable() for char in shown)
