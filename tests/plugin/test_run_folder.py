"""The folder of a run: what killed runs left goes, what may still be somebody's stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo._server.run_folder import RunFolder, new_name, sweep

if TYPE_CHECKING:
    from pathlib import Path


class TestSweep:
    @staticmethod
    def folder(parent: Path, owner: dict[str, object] | str) -> RunFolder:
        folder = RunFolder(parent / new_name())
        folder.path.mkdir()
        content = owner if isinstance(owner, str) else json.dumps(owner)
        folder.owner_file.write_text(content, encoding="utf-8")
        return folder

    @pytest.fixture
    def this(self, tmp_path: Path) -> dict[str, object]:
        """The record of a run that this process owns."""
        mine = RunFolder(tmp_path / "mine")
        assert mine.claim(os.getpid())
        record: dict[str, object] = json.loads(mine.owner_file.read_text(encoding="utf-8"))
        mine.remove()
        return record

    @pytest.fixture
    def dead(self) -> int:
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        return child.pid

    def test_the_folder_of_a_dead_owner_goes(
        self, tmp_path: Path, this: dict[str, object], dead: int
    ) -> None:
        folder = self.folder(tmp_path, {**this, "pid": dead})
        folder.scratch.mkdir()
        sweep(tmp_path)
        assert not folder.path.exists()
        assert not folder.scratch.exists()

    def test_the_folder_of_a_living_owner_stays(
        self, tmp_path: Path, this: dict[str, object]
    ) -> None:
        folder = self.folder(tmp_path, this)
        sweep(tmp_path)
        assert folder.path.exists()

    def test_the_folder_of_another_machine_stays(
        self, tmp_path: Path, this: dict[str, object], dead: int
    ) -> None:
        folder = self.folder(tmp_path, {**this, "pid": dead, "machine": "another"})
        sweep(tmp_path)
        assert folder.path.exists()

    @pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"pid": "x", "machine": ""}'])
    def test_a_folder_that_does_not_say_whose_it_is_stays(
        self, tmp_path: Path, record: str
    ) -> None:
        folder = self.folder(tmp_path, record)
        sweep(tmp_path)
        assert folder.path.exists()

    def test_the_folder_of_a_living_server_stays(
        self, tmp_path: Path, this: dict[str, object], dead: int
    ) -> None:
        folder = self.folder(tmp_path, {**this, "pid": dead})
        server = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()", str(folder.state_file)],
            stdin=subprocess.PIPE,
        )
        (folder.path / "xprocess.PID").write_text(str(server.pid), encoding="utf-8")
        with server:
            sweep(tmp_path)
            assert folder.path.exists()
        sweep(tmp_path)
        assert not folder.path.exists()

    def test_a_server_that_has_only_just_begun_is_one(
        self, tmp_path: Path, this: dict[str, object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = self.folder(tmp_path, this)
        (folder.path / "xprocess.PID").write_text(str(os.getpid()), encoding="utf-8")
        # What Linux says of a program's words while it starts it.
        words = iter([[], [], ["python", str(folder.state_file)]])
        monkeypatch.setattr("psutil.Process.cmdline", lambda _: next(words))
        assert folder.server() is not None

    def test_another_programs_folder_stays(self, tmp_path: Path) -> None:
        for name in ("cloudrepo-notes", "myserver"):
            (tmp_path / name).mkdir()
        sweep(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["cloudrepo-notes", "myserver"]
