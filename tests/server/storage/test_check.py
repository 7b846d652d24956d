"""`Storage.check` reports whether a data folder can be written."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from cloudrepo_server.errors import StorageError
from cloudrepo_server.storage.local import LocalStorage


def check(storage: LocalStorage) -> None:
    asyncio.run(storage.check())


def test_a_check_of_a_writable_folder_succeeds_and_leaves_no_file(tmp_path: Path) -> None:
    storage = LocalStorage.in_folder(tmp_path)
    check(storage)
    files = [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert files == ["format.json"]
    asyncio.run(storage.close())


def test_a_check_fails_if_a_file_replaced_the_folder(tmp_path: Path) -> None:
    storage = LocalStorage.in_folder(tmp_path)
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "store").touch()
    with pytest.raises(StorageError):
        check(storage)
    asyncio.run(storage.close())
