"""Whether a store serves, as `Storage.check` says it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from cloudrepo_server.errors import StorageError
from cloudrepo_server.storage.local import LocalStorage


def check(storage: LocalStorage) -> None:
    asyncio.run(storage.check())


def test_a_folder_that_takes_and_gives_is_well_and_keeps_nothing(tmp_path: Path) -> None:
    storage = LocalStorage.in_folder(tmp_path)
    check(storage)
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
    asyncio.run(storage.close())


def test_a_folder_in_whose_place_a_file_stands_is_not(tmp_path: Path) -> None:
    storage = LocalStorage.in_folder(tmp_path)
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "store").touch()
    with pytest.raises(StorageError):
        check(storage)
    asyncio.run(storage.close())
