"""The garbage collector pauses the server, so it must not track objects that exist in thousands."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from cloudrepo_server.domain.audit import AuditEntry
from cloudrepo_server.domain.catalogue import ProjectSummary
from cloudrepo_server.models import File, ProjectSerial, RemoteFile
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.testkit.journals import CHANGES_JOURNAL, Journals

LISTED: dict[str, Any] = {
    "filename": "demo-1.0-py3-none-any.whl",
    "version": "1.0",
    "size": 1,
    "sha256": "",
    "upload_time": "",
    "uploader": "",
}


def recorded() -> Entry:
    """Return the entry of a request in the journal."""
    journals, entry = Journals(), Entry(method="GET", path="/", user_agent="", status=200)
    journals.get(CHANGES_JOURNAL).add(entry)
    journals.settle(CHANGES_JOURNAL, entry, anonymous=False)
    return entry


@pytest.mark.parametrize(
    "stored",
    [
        File(**LISTED, blob="blobs/x"),
        RemoteFile(**LISTED, url="https://example.com/demo"),
        ProjectSerial(1, "revision"),
        ProjectSummary("demo", filenames=("demo-1.0.tar.gz",)),
        AuditEntry(kind="upload", time=0.0, number=1, user=None, interface="index"),
        recorded(),
    ],
    ids=lambda stored: type(stored).__name__,
)
def test_the_garbage_collector_does_not_track_an_object_that_exists_in_thousands(
    stored: object,
) -> None:
    assert not gc.is_tracked(stored)


def test_requests_without_faults_and_upstreams_share_their_empty_lists() -> None:
    first, second = recorded(), recorded()
    assert first.faults is second.faults
    assert first.upstreams is second.upstreams
