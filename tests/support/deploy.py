"""The services of `deploy/compose.yaml` as local processes: a store, two servers and nginx.

No container runs. The processes get the arguments, variables and configuration of the files; only
host names are replaced by local addresses.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.index import Server
from tests.support.ports import free_port
from tests.support.process import ServerProcess
from tests.support.wait import wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORD = "an-admin-password"
SECONDS = 60.0


def accepts_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """The parsed compose file."""
    import yaml  # noqa: PLC0415 (only these tests need it)

    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return read


@pytest.fixture(scope="session")
def compose_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the store, which runs with the settings of the container file."""
    folder = tmp_path_factory.mktemp("store")
    port = free_port()
    environ = {
        **os.environ,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "HOME": str(folder),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "data"),
    }
    program = Path(sys.executable).with_name("ministack")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program], env=environ, stdout=log, stderr=log, cwd=folder) as process,
    ):
        wait_until(lambda: accepts_connections(port), "the store", seconds=SECONDS)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture(scope="session")
def compose_environment(compose: dict[str, Any], compose_store: str) -> Mapping[str, str]:
    """The servers' environment of the compose file, after creating the bucket as it does."""
    variables: dict[str, str] = compose["services"]["one"]["environment"]
    environ = {
        **variables,
        "AWS_ENDPOINT": compose_store,
        "CLOUDREPO_ADMIN_USERNAME": "admin@example.com",
        "CLOUDREPO_ADMIN_PASSWORD": PASSWORD,
    }
    (name,) = compose["services"]["bucket"]["command"]
    # Twice, since a restart of all services runs the script again.
    for _ in range(2):
        script = [sys.executable, DEPLOY / "bucket.py", name]
        subprocess.run(script, env={**os.environ, **environ}, check=True, timeout=SECONDS)
    return environ


@dataclass
class Stack:
    """Two servers behind a load balancer."""

    url: str
    servers: dict[str, Server]
    ports: dict[str, int]
    arguments: dict[str, list[str]]
    environ: Mapping[str, str]
    folder: Path

    def start(self, name: str) -> None:
        """Start a server with the command of its service."""
        number = sum(1 for _ in self.folder.glob(f"{name}-*"))
        process = ServerProcess(
            self.folder / f"{name}-{number}", *self.arguments[name], environ=self.environ
        )
        self.servers[name] = Server(process)

    def stop(self, name: str) -> int:
        """Stop a server as `docker compose stop` does, and return its exit status."""
        self.servers[name].close()
        return self.servers[name].process.stop()

    def through_balancer(self, name: str = "one") -> Server:
        """Return a server with the URL of the load balancer, as clients use it."""
        server = Server(self.servers[name].process)
        server.url = self.url
        return server


@pytest.fixture(scope="session")
def stack(
    compose: dict[str, Any],
    compose_environment: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    ports = {name: free_port() for name in ("one", "two")}
    port = free_port()
    arguments = {}
    for name, server_port in ports.items():
        replacements = {
            "--host=0.0.0.0": "--host=127.0.0.1",
            "--port=8080": f"--port={server_port}",
        }
        serve, *options = compose["services"][name]["command"]
        assert serve == "serve"
        arguments[name] = [replacements.pop(option, option) for option in options]
        assert not replacements
    stack = Stack(f"http://127.0.0.1:{port}", {}, ports, arguments, compose_environment, folder)
    for name in ports:
        stack.start(name)
    with nginx(folder, port, ports) as balancer:
        wait_until(lambda: accepts_connections(port), "nginx", seconds=SECONDS)
        yield stack
        balancer.terminate()
    for name in ports:
        assert stack.stop(name) == 0


def nginx(folder: Path, port: int, ports: Mapping[str, int]) -> subprocess.Popen[bytes]:
    """Start nginx with the configuration of `deploy/`."""
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    for name, server_port in ports.items():
        assert f"server {name}:8080 " in text
        text = text.replace(f"server {name}:8080 ", f"server 127.0.0.1:{server_port} ")
    assert "listen 8080;" in text
    return start_nginx(folder, text.replace("listen 8080;", f"listen 127.0.0.1:{port};"))


def start_nginx(folder: Path, text: str) -> subprocess.Popen[bytes]:
    """Start nginx with a configuration, whose temporary files are in a folder."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    if program is None:
        raise FileNotFoundError("nginx not found: install it, or run .ci/deploy, which does")
    temporary_folders = "".join(
        f"    {kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = text.replace("http {\n", f"http {{\n{temporary_folders}", 1)
    configuration = folder / "nginx.conf"
    configuration.write_text(text, "utf-8")
    settings = f"daemon off; pid {folder / 'nginx.pid'};"
    command = [
        program,
        "-p",
        str(folder),
        "-e",
        "stderr",
        "-c",
        str(configuration),
        "-g",
        settings,
    ]
    with (folder / "nginx.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def get_as_admin(url: str, **headers: str) -> requests.Response:
    """Return the response to a GET request of the admin user."""
    return requests.get(url, auth=("admin@example.com", PASSWORD), headers=headers, timeout=SECONDS)
