"""The folders of killed sessions are removed; folders that may still be in use are kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo._server.run_folder import RunFolder, new_run_name, remove_abandoned_folders

if TYPE_CHECKING:
    from pathlib import Path


class TestRemoveAbandonedFolders:
    @staticmethod
    def folder(parent: Path, owner: dict[str, object] | str) -> RunFolder:
        folder = RunFolder(parent / new_run_name())
        folder.path.mkdir()
        content = owner if isinstance(owner, str) else json.dumps(owner)
        folder.owner_file.write_text(content, encoding="utf-8")
        return folder

    @pytest.fixture
    def own_record(self, tmp_path: Path) -> dict[str, object]:
        """The owner record of a session that this process controls."""
        mine = RunFolder(tmp_path / "mine")
        assert mine.claim(os.getpid())
        record: dict[str, object] = json.loads(mine.owner_file.read_text(encoding="utf-8"))
        mine.remove()
        return record

    @pytest.fixture
    def dead_pid(self) -> int:
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        return child.pid

    def test_a_folder_whose_owner_has_exited_is_removed(
        self, tmp_path: Path, own_record: dict[str, object], dead_pid: int
    ) -> None:
        folder = self.folder(tmp_path, {**own_record, "pid": dead_pid})
        folder.scratch.mkdir()
        remove_abandoned_folders(tmp_path)
        assert not folder.path.exists()
        assert not folder.scratch.exists()

    def test_a_folder_whose_owner_runs_is_kept(
        self, tmp_path: Path, own_record: dict[str, object]
    ) -> None:
        folder = self.folder(tmp_path, own_record)
        remove_abandoned_folders(tmp_path)
        assert folder.path.exists()

    def test_a_folder_of_another_machine_is_kept(
        self, tmp_path: Path, own_record: dict[str, object], dead_pid: int
    ) -> None:
        folder = self.folder(tmp_path, {**own_record, "pid": dead_pid, "machine": "another"})
        remove_abandoned_folders(tmp_path)
        assert folder.path.exists()

    @pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"pid": "x", "machine": ""}'])
    def test_a_folder_with_an_invalid_owner_record_is_kept(
        self, tmp_path: Path, record: str
    ) -> None:
        folder = self.folder(tmp_path, record)
        remove_abandoned_folders(tmp_path)
        assert folder.path.exists()

    def test_a_folder_whose_server_runs_is_kept(
        self, tmp_path: Path, own_record: dict[str, object], dead_pid: int
    ) -> None:
        folder = self.folder(tmp_path, {**own_record, "pid": dead_pid})
        server = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()", str(folder.state_file)],
            stdin=subprocess.PIPE,
        )
        (folder.path / "xprocess.PID").write_text(str(server.pid), encoding="utf-8")
        with server:
            remove_abandoned_folders(tmp_path)
            assert folder.path.exists()
        remove_abandoned_folders(tmp_path)
        assert not folder.path.exists()

    def test_a_server_whose_command_line_is_still_empty_is_found(
        self, tmp_path: Path, own_record: dict[str, object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = self.folder(tmp_path, own_record)
        (folder.path / "xprocess.PID").write_text(str(os.getpid()), encoding="utf-8")
        # On Linux the command line is empty for a moment after the start.
        command_lines = iter([[], [], ["python", str(folder.state_file)]])
        monkeypatch.setattr("psutil.Process.cmdline", lambda _: next(command_lines))
        assert folder.server_process() is not None

    def test_a_folder_of_another_program_is_kept(self, tmp_path: Path) -> None:
        for name in ("cloudrepo-notes", "myserver"):
            (tmp_path / name).mkdir()
        remove_abandoned_folders(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["cloudrepo-notes", "myserver"]
