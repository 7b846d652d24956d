"""The image of `deploy/Containerfile`, and `deploy/compose.yaml` with it, run by Docker."""

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
from tests.support.deploy import DEPLOY, PASSWORD, free_port
from tests.support.forms import encode, fields
from tests.support.raw import basic, connect, exchange, request
from tests.support.wait import wait_until

USERNAME = "admin@example.com"
SECONDS = 120.0
LARGE = 48 << 20
SERVERS = ("one", "two")
# As Kubernetes is told to run it.
CONFINED = ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges")
# What an image has no business to hold, and whether its own user could change what it runs.
LOOK_INTO_IT = """
import json, os, pathlib, site
packages = pathlib.Path(site.getsitepackages()[0])
print(json.dumps({
    "left": [str(path) for path in packages.glob("*cloudrepo*/**/test_*.py")]
        + [path for path in ("/source", "/.git", "/venv/.git") if os.path.exists(path)],
    "packages": sorted(path.name for path in packages.glob("*cloudrepo*/")),
    "writable": [path for path in ("/venv", str(packages), "/") if os.access(path, os.W_OK)],
}))
"""


def started(*arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        ["docker", *arguments],  # noqa: S607 (whichever is on the PATH)
        env={**os.environ, "CLOUDREPO_ADMIN_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert ended.returncode == 0, f"{arguments}: {ended.stdout}{ended.stderr}"
    return ended


def docker(*arguments: str, seconds: float = SECONDS) -> str:
    """What Docker prints when it does this."""
    return started(*arguments, seconds=seconds).stdout.strip()


def uploads_to(container: str) -> int:
    """How many uploads a server has logged."""
    return started("logs", container, seconds=SECONDS).stderr.count('"method":"POST"')


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False


def state(container: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(docker("inspect", "--format", "{{json .State}}", container))
    return told


def send(repository: Repository, archive: Archive) -> int:
    """The status of an upload, 0 where there was no answer."""
    form = encode(fields(archive))
    headers = {
        "Authorization": basic(repository.username, repository.password),
        "Content-Type": form.content_type,
    }
    path = f"/repositories/{repository.name}"
    with contextlib.suppress(OSError):
        sent = request(f"POST {path} HTTP/1.1", headers, form.body)
        return exchange(repository.url, sent).status
    return 0


@dataclass(frozen=True)
class Composed:
    """The compose file, started."""

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


class Publishing:
    """Three clients that upload one file after the other, and what was answered."""

    def __init__(self, repository: Repository) -> None:
        self.answers: list[tuple[Archive, int]] = []
        self._repository = repository
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._publish, args=(name,)) for name in "abc"]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.goes_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self) -> None:
        """Wait until more is accepted."""
        seen = len(self.accepted)
        wait_until(lambda: len(self.accepted) > seen + 20, "more uploads", seconds=SECONDS)

    @property
    def accepted(self) -> list[str]:
        return [archive.filename for archive, status in self.answers if status == 200]

    @property
    def refused(self) -> list[int]:
        return [status for _, status in self.answers if status != 200]

    def _publish(self, name: str) -> None:
        number = 0
        while not self._over.is_set():
            archive = wheel(name, f"{number}.0")
            self.answers.append((archive, send(self._repository, archive)))
            number += 1


def served(repository: Repository) -> set[str]:
    return {filename for project in "abc" for filename in repository.files(project)}


def test_the_image_holds_the_server_and_nothing_of_its_source(image: str) -> None:
    config = json.loads(docker("inspect", "--format", "{{json .Config}}", image))
    assert config["User"] == "10001"
    assert [each for each in config["Env"] if each.startswith(("CLOUDREPO", "AWS"))] == []
    python = "/venv/bin/python"
    seen = json.loads(docker("run", "--rm", "--entrypoint", python, image, "-c", LOOK_INTO_IT))
    assert seen["left"] == seen["writable"] == []
    assert {"cloudrepo_server", "pytest_cloudrepo"} <= set(seen["packages"])


# The image's own, and one of a namespace's as OpenShift chooses it: in root's group, and no other.
@pytest.mark.parametrize("user", ["10001:0", "1000650000:0"])
def test_it_needs_a_folder_and_nothing_else(
    image: str, user: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = f"{image}-{user.partition(':')[0]}"
    docker(
        *("run", "--detach", "--name", name, "--user", user, *CONFINED),
        *("--volume", f"{name}:/data", "--publish", "127.0.0.1::8080"),
        *("--env", "CLOUDREPO_ADMIN_PASSWORD", image),
    )
    request.addfinalizer(lambda: docker("volume", "rm", name))
    request.addfinalizer(lambda: docker("rm", "--force", name))

    def url() -> str:
        assert state(name)["Running"], started("logs", name, seconds=SECONDS).stderr
        return f"http://{docker('port', name, '8080/tcp').splitlines()[0]}"

    wait_until(lambda: is_ready(url()), f"{name} to answer")
    server = Server(url(), USERNAME, PASSWORD, folder=tmp_path)
    assert send(server.create_repository("kept"), wheel()) == 200
    # What is process 1 has to ask for its signals, and is killed after these seconds otherwise.
    docker("stop", "--time", "60", name)
    assert state(name)["ExitCode"] == 0
    docker("start", name)
    wait_until(lambda: is_ready(url()), f"{name} to answer again")
    answer = requests.get(
        f"{url()}/api/repositories/kept/projects/demo", auth=(USERNAME, PASSWORD), timeout=20
    )
    assert [file["filename"] for file in answer.json()["files"]] == [wheel().filename]


def test_twine_pip_and_uv_reach_it_from_outside(composed: Composed, tmp_path: Path) -> None:
    repository = composed.server(tmp_path / "homes").create_repository(overwrite_protection=True)
    demo = wheel(module="x = 42\n")
    path = tmp_path / demo.filename
    path.write_bytes(demo.data)
    repository.upload(path)
    path.write_bytes(wheel(module="x = 43\n").data)
    again = repository.upload(path, check=False)
    assert not again.ok
    assert f"File already exists: {demo.filename}" in " ".join(again.output.split())
    for installer in (("pip",), ("uv", "pip")):
        target = tmp_path / installer[0]
        repository.run(*installer, "install", "--no-deps", "--target", target, "demo")
        assert (target / "demo.py").read_text("utf-8") == "x = 42\n"


def test_one_that_is_killed_costs_what_it_was_doing_and_no_more(
    composed: Composed, tmp_path: Path
) -> None:
    repository = composed.server(tmp_path).create_repository()
    with Publishing(repository) as publishing:
        docker("kill", composed.container("one"))
        publishing.goes_on()
        docker("start", composed.container("one"))
        publishing.goes_on()
    # Each of the three was on the way to it at most once, and once more before nginx knew.
    assert set(publishing.refused) <= {502}
    assert len(publishing.refused) <= 6
    assert set(publishing.accepted) <= served(repository)


def test_the_load_balancer_starts_while_a_server_is_not_there(
    composed: Composed, tmp_path: Path
) -> None:
    docker("kill", composed.container("one"))
    docker("restart", composed.container("balancer"))
    wait_until(lambda: is_ready(composed.url), "the other server, by the load balancer")
    docker("start", composed.container("one"))
    one = composed.container("one")
    before = uploads_to(one)
    with Publishing(composed.server(tmp_path).create_repository()) as publishing:
        wait_until(lambda: uploads_to(one) > before, "uploads to the server that is back")
    assert publishing.refused == []


def test_containers_are_replaced_one_by_one_and_nobody_notices(
    composed: Composed, tmp_path: Path
) -> None:
    repository = composed.server(tmp_path).create_repository()
    with Publishing(repository) as publishing:
        for name in SERVERS:
            composed.compose("up", "--detach", "--force-recreate", "--no-deps", "--wait", name)
            publishing.goes_on()
    assert publishing.refused == []
    assert served(repository) == set(publishing.accepted)


def test_what_is_on_its_way_is_finished_before_all_of_it_stops(
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
            wait_until(lambda: not is_ready(composed.url), "the load balancer to let nobody in")
            connection.send(whole[LARGE // 2 :])
            assert connection.read_response().status == 200
        finally:
            stopping.join()
    assert [state(container)["ExitCode"] for container in containers] == [0, 0, 0]
    composed.compose("up", "--detach", seconds=300)
    wait_until(lambda: is_ready(composed.url), "all of it to answer again")
    assert repository.files("demo") == [large.filename]
