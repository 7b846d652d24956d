"""The image of `deploy/Containerfile` and the services of `deploy/compose.yaml`, in Docker."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from pytest_cloudrepo.client import Server
from pytest_cloudrepo.repository import Repository
from tests.support.archives import Archive, wheel
from tests.support.deploy import DEPLOY, PASSWORD
from tests.support.forms import encode, fields
from tests.support.ports import free_port
from tests.support.raw import basic, connect, exchange, request
from tests.support.wait import wait_until

USERNAME = "admin@example.com"
SECONDS = 120.0
LARGE = 48 << 20
SERVERS = ("one", "two")
# The restrictions of deploy/kubernetes.yaml.
RESTRICTIONS = ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges")
# Prints files that the image should not contain, and program folders that its user can change.
INSPECTION = """
import json, os, pathlib, site
packages = pathlib.Path(site.getsitepackages()[0])
print(json.dumps({
    "unwanted": [str(path) for path in packages.glob("*cloudrepo*/**/test_*.py")]
        + [path for path in ("/source", "/.git", "/venv/.git") if os.path.exists(path)],
    "packages": sorted(path.name for path in packages.glob("*cloudrepo*/")),
    "writable": [path for path in ("/venv", str(packages), "/") if os.access(path, os.W_OK)],
}))
"""


def run_docker(*arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    completed = subprocess.run(
        ["docker", *arguments],  # noqa: S607 (the Docker on the PATH)
        env={**os.environ, "CLOUDREPO_ADMIN_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert completed.returncode == 0, f"docker {arguments}: {completed.stdout}{completed.stderr}"
    return completed


def docker(*arguments: str, seconds: float = SECONDS) -> str:
    """Run Docker, and return what it prints."""
    return run_docker(*arguments, seconds=seconds).stdout.strip()


def uploads_to(container: str) -> int:
    """Return the number of uploads in a server's log."""
    return run_docker("logs", container, seconds=SECONDS).stderr.count('"method":"POST"')


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False


def state(container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", "--format", "{{json .State}}", container))
    return found


def send(repository: Repository, archive: Archive) -> int:
    """Upload a file, and return the response's status, or 0 without a response."""
    form = encode(fields(archive))
    headers = {
        "Authorization": basic(repository.username, repository.password),
        "Content-Type": form.content_type,
    }
    path = f"/repositories/{repository.name}"
    with contextlib.suppress(OSError):
        upload = request(f"POST {path} HTTP/1.1", headers, form.body)
        return exchange(repository.url, upload).status
    return 0


@dataclass(frozen=True)
class Composed:
    """The services of the compose file."""

    project: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, seconds: float = SECONDS) -> str:
        file = str(DEPLOY / "compose.yaml")
        return docker(
            *("compose", "--project-name", self.project, "--file", file, *arguments),
            seconds=seconds,
        )

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service)

    def server(self, folder: Path) -> Server:
        return Server(self.url, USERNAME, PASSWORD, folder=folder)


@pytest.fixture(scope="module")
def built() -> Iterator[Composed]:
    composed = Composed(f"cloudrepo-{secrets.token_hex(4)}", free_port())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDREPO_PORT", str(composed.port))
        composed.compose("build", seconds=900)
        yield composed
        composed.compose("down", "--volumes", "--rmi", "local", "--timeout", "5")


@pytest.fixture(scope="module")
def composed(built: Composed) -> Composed:
    built.compose("up", "--detach", seconds=300)
    wait_until(lambda: is_ready(built.url), "the servers behind the load balancer")
    return built


@pytest.fixture
def image(built: Composed) -> str:
    return f"{built.project}-one"


class ContinuousUploads:
    """Three clients that upload one file after another, and record the responses."""

    def __init__(self, repository: Repository) -> None:
        self.responses: list[tuple[Archive, int]] = []
        self._repository = repository
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._publish, args=(name,)) for name in "abc"]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self) -> None:
        """Wait until more uploads are accepted."""
        before = len(self.accepted)
        wait_until(lambda: len(self.accepted) > before + 20, "more uploads", seconds=SECONDS)

    @property
    def accepted(self) -> list[str]:
        return [archive.filename for archive, status in self.responses if status == 200]

    @property
    def failed(self) -> list[int]:
        return [status for _, status in self.responses if status != 200]

    def _publish(self, name: str) -> None:
        number = 0
        while not self._stopped.is_set():
            archive = wheel(name, f"{number}.0")
            self.responses.append((archive, send(self._repository, archive)))
            number += 1


def listed_files(repository: Repository) -> set[str]:
    return {filename for project in "abc" for filename in repository.files(project)}


def test_the_image_contains_the_server_without_its_source(image: str) -> None:
    config = json.loads(docker("inspect", "--format", "{{json .Config}}", image))
    assert config["User"] == "10001"
    assert [each for each in config["Env"] if each.startswith(("CLOUDREPO", "AWS"))] == []
    python = "/venv/bin/python"
    found = json.loads(docker("run", "--rm", "--entrypoint", python, image, "-c", INSPECTION))
    assert found["unwanted"] == found["writable"] == []
    assert {"cloudrepo_server", "pytest_cloudrepo"} <= set(found["packages"])


# The image's own user, and one of OpenShift's: a random user in the group of root.
@pytest.mark.parametrize("user", ["10001:0", "1000650000:0"])
def test_the_container_needs_only_a_writable_data_folder(
    image: str, user: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = f"{image}-{user.partition(':')[0]}"
    docker(
        *("run", "--detach", "--name", name, "--user", user, *RESTRICTIONS),
        *("--volume", f"{name}:/data", "--publish", "127.0.0.1::8080"),
        *("--env", "CLOUDREPO_ADMIN_PASSWORD", image),
    )
    request.addfinalizer(lambda: docker("volume", "rm", name))
    request.addfinalizer(lambda: docker("rm", "--force", name))

    def url() -> str:
        assert state(name)["Running"], run_docker("logs", name, seconds=SECONDS).stderr
        return f"http://{docker('port', name, '8080/tcp').splitlines()[0]}"

    wait_until(lambda: is_ready(url()), f"{name} to respond")
    server = Server(url(), USERNAME, PASSWORD, folder=tmp_path)
    assert send(server.create_repository("kept"), wheel()) == 200
    # Process 1 ignores SIGTERM by default; Docker would kill it after this time.
    docker("stop", "--time", "60", name)
    assert state(name)["ExitCode"] == 0
    docker("start", name)
    wait_until(lambda: is_ready(url()), f"{name} to respond again")
    response = requests.get(
        f"{url()}/api/repositories/kept/projects/demo", auth=(USERNAME, PASSWORD), timeout=20
    )
    assert [file["filename"] for file in response.json()["files"]] == [wheel().filename]


def test_twine_pip_and_uv_reach_the_services_from_outside(
    composed: Composed, tmp_path: Path
) -> None:
    repository = composed.server(tmp_path / "homes").create_repository(overwrite_protection=True)
    demo = wheel(module="x = 42\n")
    path = tmp_path / demo.filename
    path.write_bytes(demo.data)
    repository.upload(path)
    path.write_bytes(wheel(module="x = 43\n").data)
    repeated = repository.upload(path, check=False)
    assert not repeated.ok
    assert f"File already exists: {demo.filename}" in " ".join(repeated.output.split())
    for installer in (("pip",), ("uv", "pip")):
        target = tmp_path / installer[0]
        repository.run(*installer, "install", "--no-deps", "--target", target, "demo")
        assert (target / "demo.py").read_text("utf-8") == "x = 42\n"


def test_a_killed_server_fails_only_its_in_flight_requests(
    composed: Composed, tmp_path: Path
) -> None:
    repository = composed.server(tmp_path).create_repository()
    with ContinuousUploads(repository) as uploads:
        docker("kill", composed.container("one"))
        uploads.wait_for_more()
        docker("start", composed.container("one"))
        uploads.wait_for_more()
    # Each client can lose one in-flight upload, and a second one before nginx notices.
    assert set(uploads.failed) <= {502}
    assert len(uploads.failed) <= 6
    assert set(uploads.accepted) <= listed_files(repository)


def test_the_load_balancer_starts_while_a_server_is_down(
    composed: Composed, tmp_path: Path
) -> None:
    docker("kill", composed.container("one"))
    docker("restart", composed.container("balancer"))
    wait_until(lambda: is_ready(composed.url), "the other server behind the load balancer")
    docker("start", composed.container("one"))
    one = composed.container("one")
    before = uploads_to(one)
    with ContinuousUploads(composed.server(tmp_path).create_repository()) as uploads:
        wait_until(lambda: uploads_to(one) > before, "uploads to the restarted server")
    assert uploads.failed == []


def test_a_rolling_replacement_of_the_containers_fails_no_upload(
    composed: Composed, tmp_path: Path
) -> None:
    repository = composed.server(tmp_path).create_repository()
    with ContinuousUploads(repository) as uploads:
        for name in SERVERS:
            composed.compose("up", "--detach", "--force-recreate", "--no-deps", "--wait", name)
            uploads.wait_for_more()
    assert uploads.failed == []
    assert listed_files(repository) == set(uploads.accepted)


def test_stopping_all_services_finishes_an_upload_in_progress(
    composed: Composed, tmp_path: Path
) -> None:
    repository = composed.server(tmp_path).create_repository("stopped")
    large = wheel(padding=LARGE)
    form = encode(fields(large))
    headers = {
        "Authorization": basic(repository.username, repository.password),
        "Content-Type": form.content_type,
    }
    whole = request(f"POST /repositories/{repository.name} HTTP/1.1", headers, form.body)
    containers = [composed.container(name) for name in ("balancer", *SERVERS)]
    with connect(repository.url, seconds=SECONDS) as connection:
        connection.send(whole[: LARGE // 2])
        stopping = threading.Thread(target=composed.compose, args=("stop",))
        stopping.start()
        try:
            wait_until(
                lambda: not is_ready(composed.url),
                "the load balancer to stop accepting connections",
            )
            connection.send(whole[LARGE // 2 :])
            assert connection.read_response().status == 200
        finally:
            stopping.join()
    assert [state(container)["ExitCode"] for container in containers] == [0, 0, 0]
    composed.compose("up", "--detach", seconds=300)
    wait_until(lambda: is_ready(composed.url), "all services to respond again")
    assert repository.files("demo") == [large.filename]
