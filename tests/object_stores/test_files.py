"""Files in a shared store: large ones with flat memory, and taken from the store itself."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from tests.support.archives import (
    Archive,
    core_metadata,
    incompressible,
    wheel,
    zipped,
)
from tests.support.index import Index, Server
from tests.support.object_stores.engines import Engine
from tests.support.object_stores.fixtures import Serve
from tests.support.object_stores.flaky_network import Way
from tests.support.raw import basic, connect, request

MEBIBYTE = 1 << 20
SIZE = 200 * MEBIBYTE
# Two parts of 5 MiB of each upload are on the way, or two pieces of 4 MiB of each download.
ALLOWED = 40 * MEBIBYTE


def resident(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


def test_a_large_file_comes_and_goes_with_flat_memory(index: Index) -> None:
    server, warm = index.server, wheel("warm", padding=12 * MEBIBYTE)
    index.publish(warm)
    assert index.file(warm, "warm").content == warm.data
    files = {
        "large.bin": incompressible(MEBIBYTE) * (SIZE // MEBIBYTE),
        "large-1.0.dist-info/METADATA": core_metadata("large", "1.0"),
    }
    data = zipped(files, compression=zipfile.ZIP_STORED)
    name = "large-1.0-py3-none-any.whl"
    before = peak = resident(server)
    with connect(server.url, seconds=120) as connection:
        headers = {"Authorization": basic(*server.admin), "Content-Length": str(len(data))}
        path = f"/api/repositories/{index.name}/files/{name}"
        connection.send(request(f"PUT {path} HTTP/1.1", headers))
        for start in range(0, len(data), MEBIBYTE):
            connection.send(data[start : start + MEBIBYTE])
            peak = max(peak, resident(server))
        answer = connection.read_response()
    assert answer.status in (200, 201), answer
    received = hashlib.sha256()
    with index.request("GET", f"/large/{name}", stream=True) as taken:
        for chunk in taken.iter_content(MEBIBYTE):
            received.update(chunk)
            peak = max(peak, resident(server))
    assert received.hexdigest() == hashlib.sha256(data).hexdigest()
    assert index.files("large")[name]["hashes"]["sha256"] == received.hexdigest()
    assert peak - before < ALLOWED


@pytest.fixture
def away(serve: Serve) -> Index:
    """A repository on a server that sends clients to the store."""
    return serve("--presigned").repository()


def test_a_large_file_is_taken_from_the_store_itself(away: Index, engine: Engine) -> None:
    small, large = wheel(), wheel("large", padding=3 * MEBIBYTE)
    away.publish(small, large)
    assert away.request("GET", f"/demo/{small.filename}").status_code == 200
    sent = away.request("GET", f"/large/{large.filename}")
    assert sent.status_code == 307
    assert sent.headers["Cache-Control"] == "no-store"
    assert urlsplit(sent.headers["Location"]).netloc == urlsplit(engine.endpoint).netloc
    assert requests.get(sent.headers["Location"], timeout=60).content == large.data
    part = requests.get(sent.headers["Location"], headers={"Range": "bytes=10-19"}, timeout=60)
    assert (part.status_code, part.content) == (206, large.data[10:20])
    head = away.request("HEAD", f"/large/{large.filename}")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(large.data)))
    known = away.get(f"/large/{large.filename}", If_None_Match=f'"{large.sha256}"')
    assert known.status_code == 304
    # Who may not read is sent nowhere.
    assert away.request("GET", f"/large/{large.filename}", auth=None).status_code == 401


@pytest.mark.parametrize(
    "install",
    [
        ("-m", "pip", "install", "--no-cache-dir", "--no-deps", "--target"),
        ("-m", "uv", "pip", "install", "--no-cache", "--no-deps", "--target"),
    ],
    ids=["pip", "uv"],
)
def test_clients_follow_to_the_store_without_their_login(
    serve: Serve, engine: Engine, tmp_path: Path, install: tuple[str, ...]
) -> None:
    large = wheel("large", padding=3 * MEBIBYTE)
    with Way(engine.endpoint) as way:
        index = serve("--presigned", **engine.through(way.port)).repository()
        index.publish(large)
        heads: list[bytes] = []
        way.hear = heads.append
        _run(*install, str(tmp_path / "site"), "large", index=index)
        asked = [head for head in heads if b"X-Amz-Signature=" in head or b"sig=" in head]
        assert asked, "the file was not taken from the store"
        assert not any(b"authorization:" in head.lower() for head in asked)
    assert (tmp_path / "site" / "large.py").exists()


def _run(*arguments: str, index: Index) -> None:
    url = f"{index.index_url}/simple/"
    ended = subprocess.run(
        [sys.executable, *arguments, "--index-url", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_replaced_file_can_still_be_taken_by_who_was_shown_it(away: Index) -> None:
    first, second = (_variant(number) for number in (1, 2))
    away.publish(first)
    shown = away.request("GET", f"/large/{first.filename}").headers["Location"]
    away.publish(second)
    assert requests.get(shown, timeout=60).content == first.data
    again = away.request("GET", f"/large/{first.filename}").headers["Location"]
    assert requests.get(again, timeout=60).content == second.data


def test_going_back_to_what_was_is_a_change(index: Index, elsewhere: Index) -> None:
    """The store tells contents apart and not changes, so a document that was is not the same."""
    name = wheel().filename
    index.publish(wheel())
    tags = {index.get("/demo/").headers["ETag"]}
    for _ in range(3):
        elsewhere.done("PATCH", f"/files/{name}", {"yanked": "a reason"})
        assert index.files()[name]["yanked"] == "a reason"
        index.done("PATCH", f"/files/{name}", {"yanked": False})
        assert not elsewhere.files()[name]["yanked"]
        tags.add(elsewhere.get("/demo/").headers["ETag"])
    # What is shown is the same again, and so is the page's own tag.
    assert len(tags) == 1


def _variant(number: int) -> Archive:
    return wheel("large", module=f"x = {number}\n", padding=3 * MEBIBYTE)
