"""Files in a shared store: constant memory for large ones, and downloads from presigned URLs."""

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
from tests.support.object_stores.fixtures import StartSharedServer
from tests.support.object_stores.flaky_network import FlakyNetwork
from tests.support.raw import basic, connect, request

MEBIBYTE = 1 << 20
SIZE = 200 * MEBIBYTE
# An upload buffers two parts of 5 MiB, and a download two chunks of 4 MiB.
MAX_GROWTH = 40 * MEBIBYTE


def resident_memory(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


def test_a_large_upload_and_download_need_constant_memory(index: Index) -> None:
    server, warm = index.server, wheel("warm", padding=12 * MEBIBYTE)
    index.publish(warm)
    assert index.file(warm, "warm").content == warm.data
    files = {
        "large.bin": incompressible(MEBIBYTE) * (SIZE // MEBIBYTE),
        "large-1.0.dist-info/METADATA": core_metadata("large", "1.0"),
    }
    data = zipped(files, compression=zipfile.ZIP_STORED)
    name = "large-1.0-py3-none-any.whl"
    before = peak = resident_memory(server)
    with connect(server.url, seconds=120) as connection:
        headers = {"Authorization": basic(*server.admin), "Content-Length": str(len(data))}
        path = f"/api/repositories/{index.name}/files/{name}"
        connection.send(request(f"PUT {path} HTTP/1.1", headers))
        for start in range(0, len(data), MEBIBYTE):
            connection.send(data[start : start + MEBIBYTE])
            peak = max(peak, resident_memory(server))
        response = connection.read_response()
    assert response.status in (200, 201), response
    received = hashlib.sha256()
    with index.request("GET", f"/large/{name}", stream=True) as download:
        for chunk in download.iter_content(MEBIBYTE):
            received.update(chunk)
            peak = max(peak, resident_memory(server))
    assert received.hexdigest() == hashlib.sha256(data).hexdigest()
    assert index.files("large")[name]["hashes"]["sha256"] == received.hexdigest()
    assert peak - before < MAX_GROWTH


@pytest.fixture
def presigned_index(start_shared_server: StartSharedServer) -> Index:
    """A repository on a server that redirects downloads to the store."""
    return start_shared_server("--presigned").repository()


def test_a_download_of_a_large_file_is_redirected_to_the_store(
    presigned_index: Index, engine: Engine
) -> None:
    small, large = wheel(), wheel("large", padding=3 * MEBIBYTE)
    presigned_index.publish(small, large)
    assert presigned_index.request("GET", f"/demo/{small.filename}").status_code == 200
    redirect = presigned_index.request("GET", f"/large/{large.filename}")
    assert redirect.status_code == 307
    assert redirect.headers["Cache-Control"] == "no-store"
    assert urlsplit(redirect.headers["Location"]).netloc == urlsplit(engine.endpoint).netloc
    assert requests.get(redirect.headers["Location"], timeout=60).content == large.data
    part = requests.get(redirect.headers["Location"], headers={"Range": "bytes=10-19"}, timeout=60)
    assert (part.status_code, part.content) == (206, large.data[10:20])
    head = presigned_index.request("HEAD", f"/large/{large.filename}")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(large.data)))
    revalidated = presigned_index.get(f"/large/{large.filename}", If_None_Match=f'"{large.sha256}"')
    assert revalidated.status_code == 304
    # A client without read access is not redirected.
    assert presigned_index.request("GET", f"/large/{large.filename}", auth=None).status_code == 401


@pytest.mark.parametrize(
    "install",
    [
        ("-m", "pip", "install", "--no-cache-dir", "--no-deps", "--target"),
        ("-m", "uv", "pip", "install", "--no-cache", "--no-deps", "--target"),
    ],
    ids=["pip", "uv"],
)
def test_clients_follow_the_redirect_without_sending_their_login(
    start_shared_server: StartSharedServer, engine: Engine, tmp_path: Path, install: tuple[str, ...]
) -> None:
    large = wheel("large", padding=3 * MEBIBYTE)
    with FlakyNetwork(engine.endpoint) as network:
        index = start_shared_server(
            "--presigned", **engine.variables_through(network.port)
        ).repository()
        index.publish(large)
        heads: list[bytes] = []
        network.on_request_head = heads.append
        _run(*install, str(tmp_path / "site"), "large", index=index)
        downloads = [head for head in heads if b"X-Amz-Signature=" in head or b"sig=" in head]
        assert downloads, "the file was not downloaded from the store"
        assert not any(b"authorization:" in head.lower() for head in downloads)
    assert (tmp_path / "site" / "large.py").exists()


def _run(*arguments: str, index: Index) -> None:
    url = f"{index.index_url}/simple/"
    completed = subprocess.run(
        [sys.executable, *arguments, "--index-url", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr


def test_a_presigned_url_still_works_after_the_file_was_replaced(presigned_index: Index) -> None:
    first, second = (_variant(number) for number in (1, 2))
    presigned_index.publish(first)
    first_url = presigned_index.request("GET", f"/large/{first.filename}").headers["Location"]
    presigned_index.publish(second)
    assert requests.get(first_url, timeout=60).content == first.data
    second_url = presigned_index.request("GET", f"/large/{first.filename}").headers["Location"]
    assert requests.get(second_url, timeout=60).content == second.data


def test_a_document_that_returns_to_its_earlier_content_has_a_new_revision(
    index: Index, index_on_second: Index
) -> None:
    """A store may give equal content equal tags, so each document contains a new revision."""
    name = wheel().filename
    index.publish(wheel())
    tags = {index.get("/demo/").headers["ETag"]}
    for _ in range(3):
        index_on_second.api_json("PATCH", f"/files/{name}", {"yanked": "a reason"})
        assert index.files()[name]["yanked"] == "a reason"
        index.api_json("PATCH", f"/files/{name}", {"yanked": False})
        assert not index_on_second.files()[name]["yanked"]
        tags.add(index_on_second.get("/demo/").headers["ETag"])
    # The page's content is the same again, and so is its own tag.
    assert len(tags) == 1


def _variant(number: int) -> Archive:
    return wheel("large", module=f"x = {number}\n", padding=3 * MEBIBYTE)
