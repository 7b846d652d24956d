"""The list of changes: its limits, and what a data folder keeps of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloudrepo_server.changes import CHANGES, Change, note_change
from cloudrepo_server.domain import audit
from cloudrepo_server.domain.audit import ENTRIES_PER_DOCUMENT, AuditList
from cloudrepo_server.limits import AUDIT_TEXT
from cloudrepo_server.storage.background import BackgroundTasks
from cloudrepo_server.storage.local import LocalStorage


def record(trail: AuditList, subject: str) -> None:
    change = Change(kind="upload", time=1.7e9, subject=subject)
    trail.record([change], user="user", repository="demo", interface="index")


def subjects(trail: AuditList) -> list[str]:
    return [entry.subject for entry in reversed(trail.entries)]


def in_memory() -> AuditList:
    return AuditList(LocalStorage.in_memory(), BackgroundTasks())


def test_the_newest_changes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "AUDIT_ENTRIES", 3)
    trail = in_memory()
    for number in range(5):
        record(trail, str(number))
    assert subjects(trail) == ["2", "3", "4"]


def test_the_size_of_all_changes_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "AUDIT_BYTES", 10_000)
    trail = in_memory()
    for number in range(100):
        record(trail, f"{number:03}" * 100)
    assert 1 < len(trail.entries) < 20
    assert sum(entry.size for entry in trail.entries) <= 10_000
    assert subjects(trail)[-1].startswith("099")


def test_long_texts_are_truncated() -> None:
    trail = in_memory()
    record(trail, "x" * 10_000)
    assert len(subjects(trail)[0]) == AUDIT_TEXT


def test_only_a_change_within_a_request_is_noted() -> None:
    changes: list[Change] = []
    request = CHANGES.set(changes)
    note_change("upload", subject="within a request")
    CHANGES.reset(request)
    note_change("upload", subject="without a request")
    assert [change.subject for change in changes] == ["within a request"]


def test_documents_are_continued_and_old_ones_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 2 * ENTRIES_PER_DOCUMENT
    monkeypatch.setattr(audit, "AUDIT_ENTRIES", limit)
    expected: list[str] = []

    async def scenario(count: int) -> None:
        storage = LocalStorage.in_folder(tmp_path / "data")
        trail = AuditList(storage, BackgroundTasks())
        await trail.keep()
        assert subjects(trail) == expected[-limit:]
        for _ in range(count):
            expected.append(str(len(expected)))
            record(trail, expected[-1])
        await trail.close()
        await storage.close()

    for count in (1, 1, ENTRIES_PER_DOCUMENT, 5 * ENTRIES_PER_DOCUMENT, 0):
        asyncio.run(scenario(count))
    assert len(list((tmp_path / "data").rglob("audit/*.json"))) == 3
