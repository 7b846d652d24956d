"""Memory use does not depend on the size of a file."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from tests.support.archives import (
    Archive,
    core_metadata,
    incompressible,
    sdist,
    wheel,
    zipped,
)
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.raw import basic, connect, request
from tests.support.wait import wait_until

MEBIBYTE = 1 << 20
SIZE = 128 * MEBIBYTE
ALLOWED = 40 * MEBIBYTE
TIMEOUT = 120.0


@pytest.fixture(scope="module")
def large() -> Archive:
    files = {
        "large.bin": incompressible(MEBIBYTE) * (SIZE // MEBIBYTE),
        "demo-1.0.dist-info/METADATA": core_metadata("demo", "1.0"),
    }
    return Archive("demo-1.0-py3-none-any.whl", zipped(files, compression=zipfile.ZIP_STORED))


@pytest.fixture
def index(own_server: Server) -> Index:
    """A repository on a server that has done each operation once, so all modules are imported."""
    index = own_server.repository()
    index.publish(wheel("warm", padding=2 * MEBIBYTE))
    assert index.get(f"/warm/{wheel('warm').filename}").status_code == 200
    return index


def resident(index: Index) -> int:
    return int(psutil.Process(index.server.process.pid).memory_info().rss)


@pytest.mark.parametrize("endpoint", ["upload", "put"])
def test_an_upload_is_streamed(index: Index, large: Archive, endpoint: str) -> None:
    if endpoint == "upload":
        form = encode(fields(large))
        line, body = f"POST {index.path} HTTP/1.1", form.body
        headers = {**index.authorization, "Content-Type": form.content_type}
    else:
        line = f"PUT /api/repositories/{index.name}/files/{large.filename} HTTP/1.1"
        body, headers = large.data, {"Authorization": basic(*index.server.admin)}
    headers["Content-Length"] = str(len(body))
    before = peak = resident(index)
    with connect(index.url, seconds=60) as connection:
        connection.send(request(line, headers))
        for start in range(0, len(body), MEBIBYTE):
            connection.send(body[start : start + MEBIBYTE])
            peak = max(peak, resident(index))
        assert connection.read_response().status in (200, 201)
    peak = max(peak, resident(index))
    assert peak - before < ALLOWED
    assert index.files()[large.filename]["size"] == len(large.data)


def test_a_download_is_streamed(index: Index, large: Archive) -> None:
    index.publish(large)
    before = peak = resident(index)
    url = f"/demo/{large.filename}"
    received = 0
    with index.request("GET", url, stream=True) as response:
        for chunk in response.iter_content(MEBIBYTE):
            received += len(chunk)
            peak = max(peak, resident(index))
    assert received == len(large.data)
    assert peak - before < ALLOWED


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "corrupt"},
        {"kind": "truncate", "keep": SIZE - 1},
        {"kind": "reset", "when": "during"},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_download_that_a_fault_changes_is_streamed(
    index: Index, large: Archive, fault: dict[str, object]
) -> None:
    index.publish(large)
    index.api_json("POST", "/faults", fault)
    before = peak = resident(index)
    received = []
    with (
        index.request("GET", f"/demo/{large.filename}", stream=True) as response,
        contextlib.suppress(requests.ConnectionError, requests.exceptions.ChunkedEncodingError),
    ):
        for chunk in response.iter_content(MEBIBYTE):
            received.append(chunk)
            peak = max(peak, resident(index))
    assert peak - before < ALLOWED
    different = [
        at
        for at, chunk in enumerate(received)
        if chunk != large.data[at * MEBIBYTE : at * MEBIBYTE + len(chunk)]
    ]
    assert different == ([len(large.data) // 2 // MEBIBYTE] if fault["kind"] == "corrupt" else [])
    size = sum(map(len, received))
    if fault["kind"] == "corrupt":
        assert size == len(large.data)
    else:
        # The client drops its last, incomplete chunk.
        assert (size >= SIZE - 2 * MEBIBYTE) == (fault["kind"] == "truncate")
        assert size < SIZE


def metadata_of(size: int) -> Archive:
    return wheel(metadata=core_metadata("demo", "1.0") + b"\n" + bytes(size))


def compressed_metadata_of(compression: int, size: int) -> Archive:
    """Return a wheel whose metadata are compressed in a way whose output `zipfile` never bounds."""
    files = {"demo-1.0.dist-info/METADATA": core_metadata("demo", "1.0") + b"\n" + bytes(size)}
    return Archive(wheel().filename, zipped(files, compression=compression))


def pkg_info_of(size: int) -> Archive:
    return sdist(metadata=core_metadata("demo", "1.0") + b"\n" + bytes(size))


def many_members(number: int) -> Archive:
    return Archive(wheel().filename, zipped({f"{each}": b"" for each in range(number)}))


def many_tar_members(number: int) -> Archive:
    block = tarfile.TarInfo("demo-1.0/x").tobuf(tarfile.USTAR_FORMAT)
    return Archive(sdist().filename, gzip.compress(block * number, 1))


def sparse_member(size: int) -> Archive:
    info = tarfile.TarInfo("demo-1.0/x")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, size
    return Archive(sdist().filename, gzip.compress(info.tobuf(tarfile.GNU_FORMAT), 1))


BOMBS = {
    "METADATA of 100 MiB": lambda: metadata_of(100 * MEBIBYTE),
    "METADATA of 100 MiB in bzip2": lambda: compressed_metadata_of(
        zipfile.ZIP_BZIP2, 100 * MEBIBYTE
    ),
    "METADATA of 100 MiB in LZMA": lambda: compressed_metadata_of(zipfile.ZIP_LZMA, 100 * MEBIBYTE),
    "PKG-INFO of 100 MiB": lambda: pkg_info_of(100 * MEBIBYTE),
    "120,000 members of a zip": lambda: many_members(120_000),
    "120,000 members of a tar": lambda: many_tar_members(120_000),
    "a sparse member of a tebibyte": lambda: sparse_member(1 << 40),
}


@pytest.mark.parametrize("what", BOMBS)
def test_an_archive_bomb_is_rejected_with_little_memory(index: Index, what: str) -> None:
    archive = BOMBS[what]()
    form = encode(fields(archive))
    seen = [resident(index)]
    with ThreadPoolExecutor(1) as pool:
        response = pool.submit(index.send, form, timeout=TIMEOUT)

        def done() -> bool:
            seen.append(resident(index))
            return response.done()

        wait_until(done, f"the response to {what}", seconds=TIMEOUT)
    assert response.result().status_code == 400, response.result().reason
    assert max(seen) - seen[0] < ALLOWED
