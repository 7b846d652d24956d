"""What `deploy/` describes, started here: a store, two servers as in the compose file, and nginx.

No container is run: the programs are started with the files' own arguments, variables and
configuration, but for the names of hosts, which are addresses here.
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
from tests.support.process import ServerProcess
from tests.support.wait import wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORD = "an-admin-password"
SECONDS = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """The compose file."""
    import yaml  # noqa: PLC0415 (only these tests need it)

    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return read


@pytest.fixture(scope="session")
def compose_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The store's URL; it runs as the container file says."""
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
        wait_until(lambda: listens(port), "the store", seconds=SECONDS)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture(scope="session")
def compose_environment(compose: dict[str, Any], compose_store: str) -> Mapping[str, str]:
    """What the compose file tells the servers, with a bucket made as it says."""
    told: dict[str, str] = compose["services"]["one"]["environment"]
    environ = {
        **told,
        "AWS_ENDPOINT": compose_store,
        "CLOUDREPO_ADMIN_USERNAME": "admin@example.com",
        "CLOUDREPO_ADMIN_PASSWORD": PASSWORD,
    }
    (name,) = compose["services"]["bucket"]["command"]
    # Twice, as when all is started again.
    for _ in range(2):
        script = [sys.executable, DEPLOY / "bucket.py", name]
        subprocess.run(script, env={**os.environ, **environ}, check=True, timeout=SECONDS)
    return environ


@dataclass
class Stack:
    """Two servers, and the load balancer in front of them."""

    url: str
    servers: dict[str, Server]
    ports: dict[str, int]
    arguments: dict[str, list[str]]
    environ: Mapping[str, str]
    folder: Path

    def start(self, name: str) -> None:
        """Start a server, with its service's own command."""
        started = sum(1 for _ in self.folder.glob(f"{name}-*"))
        process = ServerProcess(
            self.folder / f"{name}-{started}", *self.arguments[name], environ=self.environ
        )
        self.servers[name] = Server(process)

    def stop(self, name: str) -> int:
        """End a server as `docker compose stop` does; its exit status."""
        self.servers[name].close()
        return self.servers[name].process.stop()

    def reached(self, name: str = "one") -> Server:
        """The servers as clients reach them."""
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
    for name, own in ports.items():
        here = {"--host=0.0.0.0": "--host=127.0.0.1", "--port=8080": f"--port={own}"}
        serve, *options = compose["services"][name]["command"]
        assert serve == "serve"
        arguments[name] = [here.pop(option, option) for option in options]
        assert not here
    stack = Stack(f"http://127.0.0.1:{port}", {}, ports, arguments, compose_environment, folder)
    for name in ports:
        stack.start(name)
    with nginx(folder, port, ports) as balancer:
        wait_until(lambda: listens(port), "nginx", seconds=SECONDS)
        yield stack
        balancer.terminate()
    for name in ports:
        assert stack.stop(name) == 0


def nginx(folder: Path, port: int, ports: Mapping[str, int]) -> subprocess.Popen[bytes]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    if program is None:
        raise FileNotFoundError("these tests need nginx: see .ci/deploy")
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    temporary = "".join(
        f"    {kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = text.replace("http {\n", f"http {{\n{temporary}", 1)
    for name, its_port in ports.items():
        assert f"server {name}:8080 " in text
        text = text.replace(f"server {name}:8080 ", f"server 127.0.0.1:{its_port} ")
    assert "listen 8080;" in text
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    own = folder / "nginx.conf"
    own.write_text(text, "utf-8")
    settings = f"daemon off; pid {folder / 'nginx.pid'};"
    command = [
        program,
        "-p",
        str(folder),
        "-e",
        "stderr",
        "-c",
        str(folder / "nginx.conf"),
        "-g",
        settings,
    ]
    with (folder / "nginx.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def answer_of(url: str, **headers: str) -> requests.Response:
    """What is answered to a GET of the admin user."""
    return requests.get(url, auth=("admin@example.com", PASSWORD), headers=headers, timeout=SECONDS)
