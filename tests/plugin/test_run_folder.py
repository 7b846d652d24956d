"""The folders of killed sessions are removed; folders that may still be in use are kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo import _own_files
from pytest_cloudrepo._server.run_folder import RunFolder, new_run_name, remove_abandoned_folders
from tests.support.locked_file import locked
from tests.support.platforms import needs_posix, needs_windows

if TYPE_CHECKING:
    from pathlib import Path


@needs_windows("locked files")
def test_the_server_is_not_ready_while_its_state_file_is_locked(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    admin = {"username": "admin@example.com", "password": "secret"}
    state = {"url": "http://127.0.0.1:1", "pid": 1, "admin": admin}
    folder.state_file.write_text(json.dumps(state), encoding="utf-8")
    with locked(folder.state_file) as unlock:
        assert folder.state() is None
        unlock()
        found = folder.state()
    assert found is not None
    assert found.url == state["url"]


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

    @needs_posix("user ids")
    @pytest.mark.parametrize("user", ["folder", "record"])
    def test_a_folder_or_record_of_another_user_is_kept(
        self,
        tmp_path: Path,
        own_record: dict[str, object],
        dead_pid: int,
        monkeypatch: pytest.MonkeyPatch,
        user: str,
    ) -> None:
        folder = self.folder(tmp_path, {**own_record, "pid": dead_pid})
        foreign = folder.path if user == "folder" else folder.owner_file
        identity = (foreign.stat().st_dev, foreign.stat().st_ino)
        is_own = _own_files.is_own
        monkeypatch.setattr(
            _own_files,
            "is_own",
            lambda status: (status.st_dev, status.st_ino) != identity and is_own(status),
        )
        remove_abandoned_folders(tmp_path)
        assert folder.path.exists()

    @needs_posix("named pipes in folders")
    @pytest.mark.parametrize("file", ["owner.json", "xprocess.PID"])
    def test_a_named_pipe_does_not_block(
        self, tmp_path: Path, own_record: dict[str, object], dead_pid: int, file: str
    ) -> None:
        folder = self.folder(tmp_path, {**own_record, "pid": dead_pid})
        (folder.path / file).unlink(missing_ok=True)
        os.mkfifo(folder.path / file)
        cleanup = threading.Thread(target=remove_abandoned_folders, args=(tmp_path,), daemon=True)
        cleanup.start()
        cleanup.join(10)
        assert not cleanup.is_alive()

    @needs_posix("symbolic links without a privilege")
    def test_links_are_not_followed(
        self, tmp_path: Path, own_record: dict[str, object], dead_pid: int
    ) -> None:
        """Another user may create links to the folders and files of this user."""
        abandoned = json.dumps({**own_record, "pid": dead_pid})
        target = tmp_path / "target"
        target.mkdir()
        (target / "owner.json").write_text(abandoned, encoding="utf-8")
        (tmp_path / new_run_name()).symlink_to(target)
        linked = RunFolder(tmp_path / new_run_name())
        linked.path.mkdir()
        linked.owner_file.symlink_to(target / "owner.json")
        remove_abandoned_folders(tmp_path)
        assert (target / "owner.json").exists()
        assert linked.path.exists()

    @pytest.mark.parametrize("pid", [-1, 0, -(10**30), 1.5, "1", True, None, [], {}])
    def test_a_folder_whose_owner_has_an_invalid_process_id_is_kept(
        self, tmp_path: Path, own_record: dict[str, object], pid: object
    ) -> None:
        folder = self.folder(tmp_path, {**own_record, "pid": pid})
        remove_abandoned_folders(tmp_path)
        assert folder.path.exists()

    def test_a_folder_whose_owner_has_an_impossible_process_id_is_removed(
        self, tmp_path: Path, own_record: dict[str, object]
    ) -> None:
        folder = self.folder(tmp_path, {**own_record, "pid": 10**30})
        remove_abandoned_folders(tmp_path)
        assert not folder.path.exists()

    @pytest.mark.parametrize("pid", [-1, 0, -(10**30), 10**30, 1.5, "1", True, None, [], {}])
    def test_an_invalid_process_id_of_the_server_does_not_keep_a_folder(
        self, tmp_path: Path, own_record: dict[str, object], dead_pid: int, pid: object
    ) -> None:
        folder = self.folder(tmp_path, {**own_record, "pid": dead_pid})
        (folder.path / "xprocess.PID").write_text(json.dumps(pid), encoding="utf-8")
        remove_abandoned_folders(tmp_path)
        assert not folder.path.exists()

    @pytest.mark.parametrize("record", ["[" * 10**6, '{"a":' * 2000, "\ud800", "9" * 10**5])
    def test_a_folder_with_a_hostile_owner_record_is_kept(
        self, tmp_path: Path, record: str
    ) -> None:
        folder = self.folder(tmp_path, "")
        folder.owner_file.write_bytes(record.encode(errors="surrogatepass"))
        remove_abandoned_folders(tmp_path)
        assert folder.path.exists()

    def test_an_unexpected_error_neither_fails_a_session_nor_stops_the_cleanup(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folders = {self.folder(tmp_path, "").path for _ in range(2)}
        checked = set()

        def fail(folder: RunFolder) -> bool:
            checked.add(folder.path)
            raise RuntimeError("anything")

        monkeypatch.setattr(RunFolder, "is_abandoned", fail)
        remove_abandoned_folders(tmp_path)
        assert checked == folders

    def test_a_folder_of_another_program_is_kept(self, tmp_path: Path) -> None:
        for name in ("cloudrepo-notes", "myserver"):
            (tmp_path / name).mkdir()
        remove_abandoned_folders(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["cloudrepo-notes", "myserver"]
