"""The format version of a store: an older server does not touch newer data."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloudrepo_server.errors import StorageError
from cloudrepo_server.storage import format as stored_format
from cloudrepo_server.storage.local import LocalStorage
from tests.support.index import Server
from tests.support.server_fixtures import StartServer


def version(data: Path) -> object:
    return json.loads((data / "store" / "format.json").read_bytes())["version"]


def test_a_new_folder_states_its_format(tmp_path: Path) -> None:
    storage = LocalStorage.in_folder(tmp_path / "data")
    asyncio.run(storage.close())
    assert version(tmp_path / "data") == stored_format.FORMAT


def test_a_folder_without_a_format_has_the_first_format(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    server = Server(start_server("--data", data))
    server.repository("kept")
    server.close()
    assert server.process.stop() == 0
    (data / "store" / "format.json").unlink()
    server = Server(start_server("--data", data))
    assert server.api_json("GET", "/repositories/kept")["name"] == "kept"
    assert version(data) == 1
    server.close()


@pytest.mark.parametrize("command", [("serve",), ("sweep", "--older-than", "0s")])
def test_a_folder_of_a_later_version_is_rejected(tmp_path: Path, command: tuple[str, ...]) -> None:
    data = tmp_path / "data"
    asyncio.run(LocalStorage.in_folder(data).close())
    garbage = data / "store" / "blobs" / "0123456789abcdef" / ("0" * 32)
    garbage.parent.mkdir(parents=True)
    garbage.touch()
    later = b'{"version": 2, "more": ["of", "something"]}'
    (data / "store" / "format.json").write_bytes(later)
    process = subprocess.run(
        [sys.executable, "-m", "cloudrepo_server", *command, "--data", data],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "was written by a later version of cloudrepo-server (format 2;" in line
    assert "upgrade cloudrepo-server" in line
    assert (data / "store" / "format.json").read_bytes() == later
    assert garbage.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"version": "x"}', b"[" * 99999])
def test_a_damaged_format_is_an_error_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    asyncio.run(LocalStorage.in_folder(tmp_path).close())
    (tmp_path / "store" / "format.json").write_bytes(content)
    with pytest.raises(StorageError, match="is damaged: restore it from a backup, or delete it"):
        LocalStorage.in_folder(tmp_path)
    # The folder is not locked.
    (tmp_path / "store" / "format.json").unlink()
    asyncio.run(LocalStorage.in_folder(tmp_path).close())
