"""`Server`, and the errors of the admin API that it raises."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import requests

from pytest_cloudrepo import ServerError
from pytest_cloudrepo._api import Api
from pytest_cloudrepo.client import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_cloudrepo import PackageFactory, Repository, RepositoryFactory


def test_an_existing_name_is_rejected_with_the_servers_message(
    cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    with pytest.raises(ServerError, match=cloudrepo.name) as caught:
        cloudrepo_server.create_repository(cloudrepo.name)
    assert caught.value.status == 409


def test_a_user_can_have_a_chosen_passphrase(
    cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    user = cloudrepo_server.create_user("é@example.com", passphrase="correct: horse %/é")
    try:
        assert user.passphrase == user.password == "correct: horse %/é"
        assert user.email == user.username == "é@example.com"
        index = cloudrepo.as_user(user).index_url
        assert requests.get(index + "/", timeout=10).status_code == 200
    finally:
        cloudrepo_server.delete_user(user)
    assert requests.get(index + "/", timeout=10).status_code == 401


def test_a_passphrase_that_is_too_short_is_rejected(cloudrepo_server: Server) -> None:
    with pytest.raises(ServerError, match="8"):
        cloudrepo_server.create_user(passphrase="short")


def test_a_repository_can_use_an_existing_user(cloudrepo_server: Server) -> None:
    user = cloudrepo_server.create_user(read_only=True)
    repository = cloudrepo_server.create_repository(user=user)
    assert repository.user is user
    cloudrepo_server.discard(repository)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_token_is_valid_for_one_repository(
    cloudrepo: Repository,
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_package: PackageFactory,
    cloudrepo_server: Server,
    *,
    read_only: bool,
) -> None:
    token = cloudrepo_server.create_token(cloudrepo, read_only=read_only)
    assert token.token not in repr(token)
    bearer = cloudrepo.as_user(token)
    assert bearer.upload(cloudrepo_package("demo", "1.0"), check=False).ok is not read_only
    assert requests.get(bearer.index_url, timeout=10).ok
    other = cloudrepo_factory().as_user(token)
    assert requests.get(other.index_url, timeout=10).status_code == 403
    cloudrepo_server.delete_user(token)
    assert requests.get(bearer.index_url, timeout=10).status_code == 401


def test_a_token_can_have_a_name_a_value_and_a_lifetime(
    cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    token = cloudrepo_server.create_token(
        cloudrepo, name="deploy", value="pypi-AgEIc-test", expires_in=3600
    )
    assert (token.name, token.token, token.password) == ("deploy", "pypi-AgEIc-test", token.token)
    assert "pypi-AgEIc-test" not in repr(token)
    assert token.expires is not None
    index = cloudrepo.as_user(token).index_url
    assert requests.get(index, timeout=10).status_code == 200
    cloudrepo_server.expire_token(token)
    assert requests.get(index, timeout=10).status_code == 401
    cloudrepo_server.expire_token(token, expires_in=60)
    assert requests.get(index, timeout=10).status_code == 200


def test_a_token_can_have_expired_when_it_is_created(
    cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    token = cloudrepo_server.create_token(cloudrepo, expires_in=-1)
    assert requests.get(cloudrepo.as_user(token).index_url, timeout=10).status_code == 401
    [rejected] = cloudrepo.requests
    assert f"The token {token.id} expired at" in str(rejected.error)


def test_a_rejected_value_of_a_token_is_not_in_the_error(
    cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    with pytest.raises(ServerError, match="The value of a token") as caught:
        cloudrepo_server.create_token(cloudrepo, value="a secret with spaces")
    assert "a secret with spaces" not in str(caught.value)


def test_an_existing_repository_is_found_by_its_name(
    cloudrepo: Repository, cloudrepo_server: Server, cloudrepo_package: PackageFactory
) -> None:
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    found = cloudrepo_server.repository(cloudrepo.name)
    assert (found.name, found.url) == (cloudrepo.name, cloudrepo.url)
    assert found.username != cloudrepo.username
    found.upload(cloudrepo_package("demo", "2.0"))
    assert cloudrepo.versions("demo") == ["1.0", "2.0"]
    same_user = cloudrepo_server.repository(cloudrepo.name, user=found.user)  # type: ignore[arg-type] # a user
    assert same_user.username == found.username
    with pytest.raises(ServerError, match="The repository could not be found: nowhere"):
        cloudrepo_server.repository("nowhere")


def test_upstream_repositories_can_be_objects_or_names(
    cloudrepo: Repository, cloudrepo_factory: RepositoryFactory, cloudrepo_server: Server
) -> None:
    other = cloudrepo_factory()
    repository = cloudrepo_factory(upstream=[cloudrepo, other.name])
    settings = cloudrepo_server._api.call("GET", "repositories", repository.name)  # noqa: SLF001
    assert settings["upstream"] == [cloudrepo.name, other.name]


def test_reprs_show_the_url_and_no_password(
    cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    assert repr(cloudrepo) == f"<Repository {cloudrepo.name!r} at {cloudrepo.url}>"
    assert repr(cloudrepo_server) == f"<Server {cloudrepo_server.url}>"
    user = cloudrepo.user
    for each in (cloudrepo, cloudrepo_server, user, cloudrepo.connection, cloudrepo.environ):
        assert cloudrepo.password not in repr(each)


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server, and yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class SilentHandler(BaseHTTPRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other_server() -> Iterator[str]:
    """The URL of a server that is not a cloudrepo-server."""

    class Handler(SilentHandler):
        def do_POST(self) -> None:
            self.send_response(418, "I am a teapot")
            self.end_headers()

    with serving(Handler) as url:
        yield url


def test_a_response_of_another_server_is_reported_by_its_status(
    other_server: str, tmp_path: Path
) -> None:
    server = Server(other_server, "admin", "x", folder=tmp_path)
    with pytest.raises(ServerError, match="418 I am a teapot") as caught:
        server.create_user()
    assert caught.value.status == 418
    server.close()


@pytest.fixture
def closing_server() -> Iterator[str]:
    """The URL of a server that closes each connection when it receives the second request."""

    class Handler(SilentHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            if self.connection not in responded:
                responded.append(self.connection)
                self.close_connection = False
                self.send_response(204)
                self.end_headers()

    responded: list[object] = []
    with serving(Handler) as url:
        yield url


def test_a_connection_that_was_idle_for_too_long_is_not_used_again(
    closing_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(closing_server, "admin", "x")
    with contextlib.closing(api):
        api.call("GET", "users")
        with pytest.raises(ServerError, match="without response"):
            api.call("GET", "users")
        api.call("GET", "users")
        monkeypatch.setattr("pytest_cloudrepo._api._MAX_IDLE", 0)
        api.call("GET", "users")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_users_proxy_and_netrc_do_not_interfere(
    cloudrepo_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login another-user password another-password\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    repository = cloudrepo_server.create_repository()
    assert repository.files("demo") == []
    cloudrepo_server.discard(repository)
