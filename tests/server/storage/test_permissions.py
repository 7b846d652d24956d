"""Only the owner of a data folder can read what is in it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import wheel
from tests.support.index import Server
from tests.support.platforms import needs_posix
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

CONTAINERFILE = Path(__file__).parents[3] / "deploy" / "Containerfile"

pytestmark = needs_posix("POSIX permissions")


@pytest.fixture(params=[0o000, 0o022, 0o077], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """The umask with which servers start."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("exists", [False, True])
def test_only_its_owner_can_read_a_data_folder(
    start_server: StartServer, tmp_path: Path, *, exists: bool
) -> None:
    data = tmp_path / "data"
    if exists:
        data.mkdir()
        data.chmod(0o755)
    server = Server(start_server("--data", data))
    index = server.repository()
    # A small blob, a large one, and documents; one of them is replaced.
    index.publish(wheel(), wheel(padding=2 << 20), wheel("other"))
    server.close()
    assert server.process.stop() == 0
    sweep = [sys.executable, "-m", "cloudrepo_server", "sweep", "--data", str(data)]
    subprocess.run([*sweep, "--older-than", "0s", "--grace", "0s"], check=True, timeout=60)
    paths = [data / "lock", data / "store", *(data / "store").rglob("*")]
    assert len(paths) > 10
    wrong = [
        (path.relative_to(data), oct(mode(path)))
        for path in paths
        if mode(path) & 0o7777 != (0o700 if path.is_dir() else 0o600)
    ]
    assert wrong == []
    assert mode(data) == (0o755 if exists else 0o700)


@pytest.mark.parametrize(
    ("folder", "wide"),
    [
        *(("data/store", wide) for wide in (0o755, 0o750, 0o701, 0o710, 0o770, 0o777, 0o1777)),
        ("data", 0o777),
        ("data", 0o702),
        ("data", 0o720),
        ("data", 0o2775),
    ],
)
def test_a_data_folder_that_others_can_use_is_an_error_that_says_how_to_fix_it(
    start_server: StartServer, tmp_path: Path, folder: str, wide: int
) -> None:
    data = tmp_path / "data"
    (data / "store").mkdir(parents=True)
    data.chmod(0o700)
    (data / "store").chmod(0o700)
    (tmp_path / folder).chmod(wide)
    process = start_server("--data", data)
    assert process.wait() == 1
    (line,) = process.log.splitlines()
    assert line.startswith(f"cloudrepo-server: permission of {tmp_path / folder} is too wide")
    command = line.partition("`")[2].partition("`")[0]
    subprocess.run(command.split(), check=True, timeout=60)
    assert start_server("--data", data).state()["url"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)
def test_a_store_that_belongs_to_another_user_is_an_error(
    start_server: StartServer, tmp_path: Path
) -> None:
    store = tmp_path / "data" / "store"
    store.mkdir(parents=True)
    tmp_path.chmod(0o700)
    store.parent.chmod(0o700)
    store.chmod(0o700)
    os.chown(store, 12345, -1)
    process = start_server("--data", store.parent)
    assert process.wait() == 1
    assert f"{store} belongs to another user (with the id 12345)" in process.log
    command = process.log.split("`")[1]
    subprocess.run(command.split(), check=True, timeout=60)
    assert start_server("--data", store.parent).state()["url"]


@pytest.mark.parametrize("option", ["--tls", "--state-file"])
def test_a_file_of_the_server_replaces_a_link_and_not_the_file_behind_it(
    start_server: StartServer, tmp_path: Path, option: str
) -> None:
    pytest.importorskip("trustme")
    private = tmp_path / "private"
    private.write_text("unchanged")
    private.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(private)
    process = start_server(option, link)
    wait_until(lambda: not link.is_symlink(), "the server to replace the link")
    assert process.process.poll() is None
    assert private.read_text() == "unchanged"
    assert mode(private) == 0o600


def test_a_ca_certificate_can_be_read_by_clients_of_other_users(
    start_server: StartServer, tmp_path: Path
) -> None:
    pytest.importorskip("trustme")
    process = start_server("--data", tmp_path / "data", "--tls", tmp_path / "ca.pem")
    process.state()
    assert mode(tmp_path / "ca.pem") == 0o644


def test_the_data_folder_of_the_container_image_is_accepted(
    start_server: StartServer, tmp_path: Path
) -> None:
    (wanted,) = re.findall(r"--mode=(\d+) /data", CONTAINERFILE.read_text(encoding="utf-8"))
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(int(wanted, 8))
    assert start_server("--data", data).state()["url"]
